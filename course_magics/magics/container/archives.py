"""The words of `%container` that write and read tar files: export, save, load, import."""

from __future__ import annotations

from typing import Any

from course_magics.containers import archives
from course_magics.magics.container.change import CHANGE
from course_magics.magics.grammar import Call, Flag, Word

_OUT = Flag("-o --output", "the tar file (needed: a cell cannot show one)", "text", "FILE")


def _export(call: Call) -> Any:
    return archives.export(call.args[0], call.output, call.line)


def _save(call: Call) -> Any:
    return archives.save(call.args, call.output, call.line)


def _load(call: Call) -> Any:
    return archives.load(call.input, call.line)


def _import(call: Call) -> Any:
    return archives.import_(
        call.args[0],
        call.args[1] if len(call.args) > 1 else None,
        call.line,
        change=call.change,
        message=call.message,
        platform=call.platform,
    )


WORDS = (
    Word(
        "export",
        "write a container's files to a tar file",
        "CONTAINER",
        (_OUT,),
        offers=("container",),
        examples=("%container export -o files.tar web",),
        aliases=("container export",),
        handler=_export,
    ),
    Word(
        "save",
        "write images with all their layers to a tar file",
        "IMAGE [IMAGE...]",
        (_OUT,),
        offers=("image",),
        examples=("%container save -o box.tar course/busybox",),
        aliases=("image save",),
        handler=_save,
    ),
    Word(
        "load",
        "bring in the images of a tar file that save has written",
        "",
        (
            Flag("-i --input", "the tar file (needed)", "text", "FILE"),
            Flag("-q --quiet", "say nothing on the way (always so)"),
        ),
        examples=("%container load -i box.tar",),
        aliases=("image load",),
        handler=_load,
    ),
    Word(
        "import",
        "make an image of one layer of a tar file, such as export writes",
        "FILE|URL [NAME[:TAG]]",
        (
            CHANGE,
            Flag("-m --message", "what was done", "text", "TEXT"),
            Flag("--platform", "platform of the image", "text", "OS/ARCH"),
        ),
        examples=("%container import -c 'CMD [\"sh\"]' files.tar flat:1",),
        aliases=("image import",),
        handler=_import,
    ),
)
