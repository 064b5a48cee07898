"""What the first `up` needs, seen to: a provider that Vagrant knows, and the course's box."""

from __future__ import annotations

import re
from pathlib import Path

from course_magics.errors import Interrupted, MachineError
from course_magics.machines import program, provider
from course_magics.streams import Sink

_BOX = re.compile(rb"^[^#\n]*\bvm\.box\s*=\s*[\"']course/debian12[\"']", re.MULTILINE)


def provider_known() -> None:
    """Make vagrant know the bundled provider, which it takes where no other one works.

    Raises MachineError where vagrant is not installed or its folder cannot be written to.
    """
    program.find()
    try:
        provider.install()
    except OSError as error:
        raise MachineError(
            "vagrant's own folder cannot be written to",
            detail=str(error),
            hint="VAGRANT_HOME names another one",
        ) from None


def box_known(folder: Path, out: Sink) -> None:
    """Add the box `course/debian12` where the Vagrantfile in `folder` names it and it is missing.

    The guest is built for it where it has not been yet: a minute or two, told in `out`.
    Raises MachineError when it cannot be made, Interrupted after ■.
    """
    from course_magics import guest

    try:
        text = (folder / "Vagrantfile").read_bytes()
    except OSError:
        return  # vagrant says what is wrong
    if not _BOX.search(text) or guest.installed_box() is not None:
        return

    def say(words: str) -> None:
        # Indented is what the tools print: it differs from run to run.
        if not words.startswith(" "):
            out.write(f"==> course/debian12: {words}\n".encode())

    say("the box is not there yet; this happens once")
    try:
        guest.ensure_box(say)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: making the box course/debian12 was stopped",
            hint="course-magics guest build makes it in a terminal",
        ) from None
