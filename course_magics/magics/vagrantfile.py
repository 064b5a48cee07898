"""`%%vagrantfile`: the cell is a Vagrantfile; it is written and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.grammar import Call, Flag, Magic, Word


def _write(call: Call) -> Any:
    from course_magics.machines.vagrantfile import write

    if call.cell is None:
        raise OptionError(
            "the Vagrantfile is missing", hint="type %%vagrantfile (two %), and the file below it"
        )
    return write(Path(call.dir).expanduser() if call.dir else Path.cwd(), call.cell)


MAGIC = Magic(
    "vagrantfile",
    "vagrant",
    (
        Word(
            "",
            "write a Vagrantfile and check it; the cell is the file",
            "",
            (
                Flag(
                    "--dir",
                    "the folder to write it to, made where it is missing (default: the notebook's)",
                    "text",
                    "DIR",
                    offers="folder",
                ),
            ),
            cell="the Vagrantfile",
            examples=(
                "%%vagrantfile --dir web",
                'Vagrant.configure("2") do |config|',
                '  config.vm.box = "course/debian12"',
                "end",
            ),
            handler=_write,
        ),
    ),
)
