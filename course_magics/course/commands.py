"""The words of `python -m course_magics.course`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics.course.book import find
from course_magics.course.lint import lint, lint_folder
from course_magics.errors import EngineError, OptionError
from course_magics.terminal import Parser, run_command, say

if TYPE_CHECKING:
    from course_magics.course.left import Things


def main(argv: list[str] | None = None) -> int:
    """Do one word; returns 1 when a notebook failed."""

    def act() -> int:
        args = _parser().parse_args(argv)
        if hasattr(args, "places") and not find(args.places):
            raise OptionError(f"no notebooks in {', '.join(map(str, args.places))}")
        return int(args.do(args))

    return run_command(act)


def _parser() -> Parser:
    parser = Parser("python -m course_magics.course")
    words = parser.add_subparsers(dest="word", required=True)
    run = words.add_parser("run", help="execute copies, write them and HTML; say what is left")
    run.add_argument("places", nargs="+", type=Path)
    run.add_argument("--out", type=Path, default=Path("build"))
    run.add_argument("--keep", action="store_true", help="do not look for what is left behind")
    run.set_defaults(do=_run)
    store = words.add_parser("store", help="execute, and keep the outputs in the notebooks")
    store.add_argument("places", nargs="+", type=Path)
    store.set_defaults(do=_store)
    for word in (run, store):
        word.add_argument("--jobs", type=int, default=0, help="how many notebooks at a time")
    look = words.add_parser("lint", help="read: parts, slides, links, images, facts")
    look.add_argument("places", nargs="+", type=Path)
    look.set_defaults(do=_lint)
    slides = words.add_parser("slides", help="each notebook as a deck of slides")
    slides.add_argument("places", nargs="+", type=Path)
    slides.add_argument("--out", type=Path, default=Path("build/slides"))
    slides.set_defaults(do=_slides)
    docs = words.add_parser("docs", help="the site of notebooks, pages and API")
    docs.add_argument("--out", type=Path, default=Path("build/docs"))
    docs.set_defaults(do=_docs)
    timing = words.add_parser("timing", help="minutes to teach, seconds to run, as Markdown")
    timing.add_argument("places", nargs="*", type=Path, default=[Path("notebooks")])
    timing.add_argument("--times", type=Path, default=Path("build/times.json"))
    timing.set_defaults(do=_timing)
    left = words.add_parser("left", help="what is left behind since `--save`: nothing, or status 1")
    way = left.add_mutually_exclusive_group(required=True)
    way.add_argument("--save", type=Path, metavar="FILE", help="write down what is there now")
    way.add_argument("--since", type=Path, metavar="FILE", help="what is there now and was not")
    left.add_argument("--all", action="store_true", help="also what the course has not labelled")
    left.add_argument("folders", nargs="*", type=Path, help="where to look for machines")
    left.set_defaults(do=_left)
    return parser


def _run(args: argparse.Namespace) -> int:
    from course_magics.course.left import left
    from course_magics.course.run import default_jobs, new_mark, run, write_times

    work, mark = [args.out / "work"], new_mark()
    before = None if args.keep else _before(work)
    jobs = args.jobs or default_jobs()
    outcomes = run(args.places, args.out, jobs, mark)
    write_times(outcomes, args.out, jobs)
    new = left(before, work, run=mark) if before is not None else {}
    _tell(new)
    return int(bool(new) or any(not o.passed for o in outcomes))


def _before(folders: list[Path]) -> Things | None:
    """What is there before a run; None, and a line that says so, where no engine answers."""
    from course_magics.course.left import things

    try:
        return things(folders)
    except EngineError as error:
        say(f"what is left behind will not be looked at: {error.message}", error=True)
        return None


def _store(args: argparse.Namespace) -> int:
    from course_magics.course.run import default_jobs, run

    return int(any(not o.passed for o in run(args.places, None, args.jobs or default_jobs())))


def _lint(args: argparse.Namespace) -> int:
    books = find(args.places)
    faults = [fault for path in books for fault in lint(path)]
    for folder in args.places:
        if folder.is_dir():
            faults += lint_folder(folder)
    for fault in faults:
        say(fault)
    say(f"{len(books)} notebooks, {len(faults)} faults")
    return int(bool(faults))


def _slides(args: argparse.Namespace) -> int:
    from course_magics.course.slides import make

    decks = make(find(args.places), args.out)
    say(f"{args.out}/index.html and {len(decks)} decks of slides")
    return 0


def _docs(args: argparse.Namespace) -> int:
    from course_magics.course.site import make

    status = make(Path(), args.out)
    if not status:
        say(f"{args.out}/index.html")
    return status


def _timing(args: argparse.Namespace) -> int:
    from course_magics.course.timing import table

    say(table(find(args.places), args.times))
    return 0


def _left(args: argparse.Namespace) -> int:
    from course_magics.course.left import left, things

    if args.save:
        args.save.parent.mkdir(parents=True, exist_ok=True)
        args.save.write_text(json.dumps(things(args.folders, all=args.all)), "utf-8")
        return 0
    new = left(json.loads(args.since.read_text("utf-8")), args.folders, all=args.all)
    _tell(new)
    if not new:
        say("nothing is left behind")
    return int(bool(new))


def _tell(new: Things) -> None:
    from course_magics.course.left import told

    for line in told(new):
        say(line)
    if new:
        say("or all at once, on the engine: %engine clean in a notebook")
