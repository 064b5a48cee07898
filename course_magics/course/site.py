"""`make docs`: the site made from notebooks, pages and docstrings. Nothing is fetched or run."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from course_magics import owned
from course_magics.errors import OptionError

#: What lies beside notebooks and is no part of the site.
_LEFT_OUT = shutil.ignore_patterns("machines", ".*", "__pycache__")


def make(root: Path, out: Path) -> int:
    """Build it into `out` from the repository `root`; returns Sphinx's status, 0 when all is well.

    A warning is a failure. The sources are laid together in a temporary folder, so that a page can
    show a notebook and a link from one to the other holds. Raises OptionError where `out` holds
    what we did not make.
    """
    try:
        from sphinx.cmd.build import main as sphinx
    except ImportError:
        raise OptionError(
            "the site needs Sphinx", hint="pip install 'course-magics[docs]'"
        ) from None
    out.parent.mkdir(parents=True, exist_ok=True)
    if _earlier(out):
        owned.mark(out)
    if not owned.claim(out):
        raise owned.foreign(out)
    with tempfile.TemporaryDirectory(prefix="course-docs-") as folder:
        source = Path(folder) / "source"
        lay(root, source)
        flags = ["-q", "-W", "--keep-going", "-E", "-j", "2", "-b", "html"]
        return int(sphinx([*flags, str(source), str(out)]))


def _earlier(out: Path) -> bool:
    """Whether a version without a marker made the site."""
    try:
        return b"# Project: course_magics\n" in (out / "objects.inv").read_bytes()[:200]
    except OSError:
        return False


def lay(root: Path, source: Path) -> None:
    """Put pages and notebooks into the folder `source`, which is made."""
    shutil.copytree(root / "docs", source, ignore=_LEFT_OUT)
    shutil.copytree(root / "notebooks", source / "notebooks", ignore=_LEFT_OUT)
    for path in (source / "notebooks").glob("*.ipynb"):
        book = json.loads(path.read_text("utf-8"))
        # How its cells are coloured: a kernel says so when it runs, and nothing runs here.
        book["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        path.write_text(json.dumps(book), "utf-8")
