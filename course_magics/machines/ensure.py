"""What the first `up` needs, seen to: a provider that Vagrant knows, and the course's box."""

from __future__ import annotations

import re
from pathlib import Path

from course_magics.errors import Interrupted
from course_magics.machines import program, provider
from course_magics.streams import Sink

_BOX = re.compile(rb"^[^#\n]*\bvm\.box\s*=\s*[\"']course/debian12[\"']", re.MULTILINE)


def provider_known() -> None:
    """Make vagrant know the bundled provider, which it takes where no other one works.

    Raises MachineError where vagrant is not installed.
    """
    program.find()
    provider.install()


def box_known(folder: Path, out: Sink) -> None:
    """Add the box `course/debian12` where the Vagrantfile in `folder` names it and it is missing.

    The guest is built for it where it has not been yet: a minute or two, told in `out`. Lines are
    the same in each run. Raises MachineError when it cannot be made, Interrupted after ■.
    """
    from course_magics import guest

    try:
        text = (folder / "Vagrantfile").read_bytes()
    except OSError:
        return  # vagrant says what is wrong
    if not _BOX.search(text) or guest.installed_box() is not None:
        return
    out.write(b"==> course/debian12: the box is not there yet: it is made now, once\n")
    try:
        # What the tools print differs from run to run.
        guest.ensure_box(lambda words: None)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: making the box course/debian12 was stopped",
            hint="course-magics guest build makes it in a terminal",
        ) from None
    out.write(b"==> course/debian12: the box is ready\n")
