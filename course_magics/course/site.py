"""`make docs`: the site made from notebooks, pages and docstrings. Nothing is fetched or run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from course_magics import storage
from course_magics.errors import OptionError

#: What lies beside notebooks and is no part of the site.
_LEFT_OUT = shutil.ignore_patterns("machines", ".*", "__pycache__")


def make(root: Path, out: Path) -> int:
    """Build it into `out` from the repository `root`; returns Sphinx's status, 0 when all is well.

    A warning is a failure. The sources are laid together in OUT-source, so that a page can show a
    notebook and a link from one to the other holds.
    """
    try:
        from sphinx.cmd.build import main as sphinx
    except ImportError:
        raise OptionError(
            "the site needs Sphinx", hint="pip install 'course-magics[docs]'"
        ) from None
    source = out.with_name(f"{out.name}-source")
    storage.claim(out, hint="--out DIR names another folder")
    lay(root, source)
    return int(
        sphinx(["-q", "-W", "--keep-going", "-E", "-j", "2", "-b", "html", str(source), str(out)])
    )


def lay(root: Path, source: Path) -> None:
    """Put pages and notebooks into the folder `source`, emptied first where it is ours."""
    storage.claim(source, hint=f"--out DIR names another folder than {source.parent}")
    shutil.rmtree(source)
    shutil.copytree(root / "docs", source, ignore=_LEFT_OUT)
    (source / storage.MARK).touch()
    shutil.copytree(root / "notebooks", source / "notebooks", ignore=_LEFT_OUT)
    from course_magics.course.book import read

    for path in (source / "notebooks").glob("*.ipynb"):
        book = read(path).raw
        # How its cells are coloured: a kernel says so when it runs, and nothing runs here.
        book["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        path.write_text(json.dumps(book), "utf-8")
