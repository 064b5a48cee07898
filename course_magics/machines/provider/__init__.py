"""The bundled Vagrant provider: how Vagrant comes to know of it.

Vagrant reads the Vagrantfile of its home folder before a project's, so one `require` there serves
every project, in a notebook and in a terminal alike.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from course_magics import storage
from course_magics.machines import quoted

_BEGIN, _END = "# >>> course_magics: provider qemu >>>", "# <<< course_magics: provider qemu <<<"
_BLOCK = re.compile(rf"{re.escape(_BEGIN)}.*?{re.escape(_END)}\n?", re.DOTALL)


def install(vagrant_home: Path | None = None) -> Path:
    """Make Vagrant load the provider. Returns the file written; changes nothing when it is right.

    vagrant_home: default $VAGRANT_HOME or ~/.vagrant.d. What else stands in that file is kept.
    """
    file = _home(vagrant_home) / "Vagrantfile"
    # The test keeps Vagrant working when this package has gone.
    block = f"{_BEGIN}\nrequire {_ruby()} if File.file?({_ruby()})\n{_END}\n"
    before = file.read_text("utf-8") if file.exists() else ""
    after = block + _BLOCK.sub("", before)
    if after != before:
        file.parent.mkdir(parents=True, exist_ok=True)
        storage.write_atomic(file, after)
    return file


def uninstall(vagrant_home: Path | None = None) -> None:
    """Take the provider away again; a file that held nothing else is removed."""
    file = _home(vagrant_home) / "Vagrantfile"
    if not file.exists():
        return
    rest = _BLOCK.sub("", file.read_text("utf-8"))
    if rest.strip():
        storage.write_atomic(file, rest)
    else:
        file.unlink()


def installed(vagrant_home: Path | None = None) -> bool:
    """Whether Vagrant loads the provider of this very package."""
    file = _home(vagrant_home) / "Vagrantfile"
    return file.exists() and _ruby() in file.read_text("utf-8")


def _ruby() -> str:
    """The file that Vagrant loads, as a word of Ruby's."""
    return quoted.ruby(Path(__file__).with_name("qemu.rb"))


def environment() -> dict[str, str]:
    """What `vagrant` needs in its environment beside the usual: nothing phones home, no colours."""
    return {"VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}


def _home(given: Path | None) -> Path:
    return given or Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
