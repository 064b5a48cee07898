"""A compose project: its name, its folder, and the file, which is a cell or really a file.

A cell is kept in the user's state folder, so that `%compose ps` and the rest find it also after
the kernel was restarted. Beside it lies a second compose file, which adds the course's labels.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from course_magics import labels, storage
from course_magics.containers import unseen
from course_magics.errors import OptionError
from course_magics.runtime import state_dir
from course_magics.shell import Token, as_typed, joined

#: The names that compose looks for, in its order.
_USUAL = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
#: The words that cannot do without the file.
_NEED_FILE = {"", "up", "create", "run", "build", "config", "pull", "push", "scale", "watch"}

#: The projects whose cell was run in this process, by the notebook's folder of kept cells.
_last: dict[Path, str] = {}
#: The names of the projects that this process has worked on.
made: set[str] = set()


@dataclass(frozen=True)
class Project:
    """One project. files: what compose reads, our labels last. cell: the text, where it is one.

    folder: where relative paths begin. options: compose's flags before the word (`--profile x`).
    chosen: whether somebody gave the name, and not the notebook or the folder. environment: values
    of one call's flags, which are not to stand on its command line.
    """

    name: str
    folder: Path
    files: tuple[Path, ...] = ()
    cell: str | None = None
    options: tuple[str, ...] = ()
    chosen: bool = True
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def words(self) -> list[str]:
        """The flags before compose's word."""
        words = ["-p", self.name, "--project-directory", str(self.folder), *self.options]
        for file in self.files:
            words += ["-f", str(file)]
        return words

    def line(self, words: Sequence[str]) -> str:
        """The same in a terminal."""
        before = ["docker", "compose", "-p", self.name, *self.options]
        if self.folder != Path.cwd():
            before += ["--project-directory", _near(self.folder)]
        needs_file = (words[0] if words else "") in _NEED_FILE
        if self.cell is not None and needs_file:
            return f"{joined([*before, '-f', '-', *words])} < CELL"
        if self.cell is None and self.named_files:
            before += [w for file in self.named_files for w in ("-f", _near(file))]
        return joined([*before, *words])

    @property
    def text(self) -> str | None:
        """The compose file's text, to look a fault up in; None where there are several."""
        if self.cell is not None:
            return self.cell
        own = self.files[:-1]
        try:
            return own[0].read_text("utf-8") if len(own) == 1 else None
        except (OSError, UnicodeDecodeError):
            return None

    @property
    def where(self) -> str:
        """What the text is called in a message."""
        return "the cell" if self.cell is not None else (self.files[0].name if self.files else "")

    @property
    def named_files(self) -> tuple[Path, ...]:
        """The files that a terminal has to be told of: not those that compose finds by itself."""
        own = self.files[:-1]
        return () if own == _usual_files(self.folder) else own

    def with_options(self, options: Sequence[str]) -> Project:
        """The same with more flags before the word, for one call."""
        return replace(self, options=(*self.options, *options))

    def with_environment(self, values: Sequence[str]) -> Project:
        """The same for one call whose flags have these values (NAME=VALUE)."""
        return replace(self, environment=unseen.environment(values, seen=self._goes_by))

    def _goes_by(self, variable: str) -> bool:
        """Whether what compose reads has it as a variable.

        It may also be in what those files include: then they get the value of the flag.
        """
        variables = [".env", *_after("--env-file", self.options)]
        texts = _texts([*self.files, *(self.folder / file for file in variables)])
        texts.append(self.cell or "")
        return any(unseen.is_used(variable, text) for text in texts)

    def called(self, name: str) -> Project:
        """The same under another name."""
        ours = [f.with_name(name + f.name.removeprefix(self.name)) for f in self._ours]
        others = self.files[: len(self.files) - len(ours)]
        return replace(self, name=name, files=(*others, *ours))

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """For a call: its cell is written down, and stays so unless compose cannot read it."""
        if not self.files:
            yield
            return
        made.add(self.name)
        before = [f.read_bytes() if f.is_file() else None for f in self._ours]
        self.keep()
        try:
            yield
        except OptionError:
            for file, data in zip(self._ours, before, strict=True):
                if data is None:
                    file.unlink(missing_ok=True)
                else:
                    storage.write_atomic(file, data)
            raise
        if self.cell is not None:
            _last[self.files[-1].parent] = self.name

    @property
    def _ours(self) -> tuple[Path, ...]:
        """The files that belong to the course, not to the reader."""
        return self.files if self.cell is not None else self.files[-1:]

    def keep(self) -> None:
        """Write the cell, and the file with our labels beside it."""
        from course_magics.containers.compose import source

        place = self.files[-1].parent
        storage.private_folder(place)
        ours: dict[str, Any] = {
            "x-course": {"folder": str(self.folder), "options": list(self.options)}
        }
        if self.cell is not None:
            storage.write_atomic(self.files[0], self.cell)
        for text in [self.cell] if self.cell is not None else _texts(self.files[:-1]):
            for key, value in source.with_labels(text or "", labels.lasting()).items():
                ours.setdefault(key, {}).update(value)
        storage.write_atomic(self.files[-1], json.dumps(ours, indent=1, sort_keys=True))


def _after(flag: str, words: Sequence[str]) -> list[str]:
    return [value for word, value in itertools.pairwise(words) if word == flag]


def _texts(files: Sequence[Path]) -> list[str]:
    return [f.read_text("utf-8", "replace") for f in files if f.is_file()]


def from_cell(
    cell: str, *, name: str | None, folder: str | None, options: Sequence[str] = ()
) -> Project:
    """The project whose file is `cell`. Raises OptionError for an impossible name or folder.

    name: `-p`; else COMPOSE_PROJECT_NAME, `name:` in the cell, the named folder's, the notebook's.
    """
    from course_magics.containers.compose import source

    place = _folder(folder)
    own = source.value(cell, "name")
    fallback = _plain(place.name) if folder else default_name()
    given = name or os.environ.get("COMPOSE_PROJECT_NAME") or own
    called = _name(given or fallback)
    kept = _kept()
    files = (kept / f"{called}.yaml", kept / f"{called}.labels.yaml")
    return Project(called, place, files, cell, tuple(options), bool(given))


def find(
    *,
    name: str | None,
    folder: str | None,
    files: Sequence[str] = (),
    options: Sequence[str] = (),
    word: str = "ps",
) -> Project:
    """The project that a `%compose` line with this `word` is about.

    The files named by `-f`; else the cell of this name, or the last one of this kernel; else
    compose.yaml in the folder; else the last cell of this notebook; else, with a name, what runs
    under it, unless the word needs a file. Raises OptionError where there is nothing of all that.
    """
    place = _folder(folder)
    kept = _kept()
    name = name or os.environ.get("COMPOSE_PROJECT_NAME") or None
    if files:
        return _of_files(tuple(_file(f) for f in files), name, place, options)
    if name:
        _name(name)
        if (kept / f"{name}.yaml").is_file():
            return _kept_cell(kept, name, options)
    elif folder is None and kept in _last:
        return _kept_cell(kept, _last[kept], options)
    if usual := _usual_files(place):
        return _of_files(usual, name, place, options)
    if name:
        if word in _NEED_FILE:
            raise _no_file(place, word, name)
        return Project(name, place, (), None, tuple(options))
    cells = [p for p in kept.glob("*.yaml") if not p.name.endswith(".labels.yaml")]
    if cells and folder is None:
        newest = max(cells, key=lambda p: p.stat().st_mtime)
        return _kept_cell(kept, newest.stem, options)
    raise OptionError(
        "there is no compose file here",
        hint="write one in a cell that begins with %%compose\n"
        "%compose -p NAME … is about a project that runs already; %compose ls lists them",
    )


def _no_file(place: Path, word: str, name: str) -> OptionError:
    """The error for a word that needs a file where only the project's name is known.

    Compose itself would look in the folders above, where another user may have put one.
    """
    above = next((f for p in place.parents for f in _usual_files(p)[:1]), None)
    other = f"\n-f {shlex.quote(str(above))} names the one above, if you trust it" if above else ""
    return OptionError(
        f"there is no compose file here, and {word or 'up'} needs one",
        hint=f"write one in a cell that begins with %%compose -p {as_typed(name)}{other}",
    )


def _kept_cell(kept: Path, name: str, options: Sequence[str]) -> Project:
    file, ours = kept / f"{name}.yaml", kept / f"{name}.labels.yaml"
    try:
        cell = file.read_text("utf-8")
        about = json.loads(ours.read_text("utf-8"))["x-course"]
    except (OSError, ValueError, KeyError):
        raise OptionError(
            f"the cell of the project {name} is not here any more", hint="run it again"
        ) from None
    all_options = (*about["options"], *options)
    return Project(name, Path(about["folder"]), (file, ours), cell, tuple(all_options))


def _of_files(
    files: tuple[Path, ...], name: str | None, folder: Path, options: Sequence[str]
) -> Project:
    from course_magics.containers.compose import source

    own = source.value(files[0].read_text("utf-8", "replace"), "name")
    given = name or own
    called = _name(given or _plain(files[0].parent.name))
    ours = _kept() / "files" / f"{called}.labels.yaml"
    return Project(called, folder, (*files, ours), None, tuple(options), bool(given))


def default_name() -> str:
    """The notebook's name, where Jupyter tells it, else its folder's, as compose spells names."""
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    return _plain(Path(notebook).stem if notebook else Path.cwd().name)


def _plain(text: str) -> str:
    """`text` as a project's name: lower case, letters, digits, - and _, no sign at the front."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-") or "course"


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise OptionError(
            "a project's name has lower-case letters, digits, - and _, and begins with a letter "
            f"or digit, not {as_typed(name)!r}",
            # A value may be a secret, also without its signs.
            hint=None if isinstance(name, Token) else f"type {_plain(name)}",
        )
    return name


def _folder(given: str | None) -> Path:
    place = (Path(given).expanduser() if given else Path.cwd()).absolute()
    if not place.is_dir():
        raise OptionError(f"there is no folder {given}")
    return place


def _file(given: str) -> Path:
    file = Path(given).expanduser().absolute()
    if given == "-" or not file.is_file():
        raise OptionError(
            f"there is no file {given}" if given != "-" else "-f - has nothing to read here",
            hint="%%compose takes the cell as the file",
        )
    return file


def _usual_files(folder: Path) -> tuple[Path, ...]:
    """The files that compose finds by itself: compose.yaml, and its override."""
    found = next((folder / n for n in _USUAL if (folder / n).is_file()), None)
    if found is None:
        return ()
    stem = found.name.rpartition(".")[0]
    extra = [folder / f"{stem}.override.{end}" for end in ("yml", "yaml")]
    return (found, *[e for e in extra if e.is_file()][:1])


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _kept() -> Path:
    """Where this notebook's cells are kept."""
    notebook = os.environ.get("JPY_SESSION_NAME", "") or str(Path.cwd())
    digest = hashlib.sha256(notebook.encode()).hexdigest()[:8]
    return state_dir() / "compose" / f"{default_name()}-{digest}"
