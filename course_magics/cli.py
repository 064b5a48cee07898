"""The `course-magics` command: the same calls as the magics, for a terminal and for scripts."""

from __future__ import annotations

import argparse
import sys

from course_magics.errors import CourseError


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A CourseError is printed, never a traceback."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except CourseError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("course-magics", description=__doc__)
    words = parser.add_subparsers(metavar="WORD", required=True)

    doctor = words.add_parser("doctor", help="reach every part for real; a fix for each fault")
    doctor.add_argument("--quick", action="store_true", help="leave out the timed boot")
    doctor.set_defaults(run=_doctor)

    guest = words.add_parser("guest", help="the virtual machine that the course boots")
    guest_words = guest.add_subparsers(metavar="WORD", required=True)
    build = guest_words.add_parser("build", help="make it from Debian packages")
    build.add_argument("--force", action="store_true", help="build even if nothing has changed")
    build.set_defaults(run=_guest_build)
    fetch = guest_words.add_parser("fetch", help="download one that was made before")
    fetch.add_argument("url")
    fetch.add_argument("--sha256", required=True, help="the file's SHA-256 in hex")
    fetch.set_defaults(run=_guest_fetch)
    box = guest_words.add_parser("box", help="add it to Vagrant as course/debian12")
    box.set_defaults(run=_guest_box)

    engine = words.add_parser("engine", help="the embedded engine, for where there is no Docker")
    engine_words = engine.add_subparsers(metavar="WORD", required=True)
    prepare = engine_words.add_parser("prepare", help="make the snapshot that it starts from")
    prepare.add_argument("--force", action="store_true", help="make it even if nothing has changed")
    prepare.set_defaults(run=_engine_prepare)
    for word, help in (
        ("start", "start it, and say where it is reached"),
        ("stop", "stop it; containers go on at the next start"),
        ("reset", "back to its first images, no containers, no volumes"),
    ):
        engine_words.add_parser(word, help=help).set_defaults(run=_engine, word=word)

    images = words.add_parser("images", help="the small base images that the notebooks use")
    image_words = images.add_subparsers(metavar="WORD", required=True)
    build = image_words.add_parser("build", help="make them from Debian packages")
    build.add_argument("names", nargs="*", help="busybox, debian, python (default: all)")
    build.add_argument("--force", action="store_true", help="build even if nothing has changed")
    build.set_defaults(run=_images_build)
    return parser


def _doctor(args: argparse.Namespace) -> int:
    from course_magics import doctor

    report = doctor.examine(quick=args.quick)
    print(report)
    return 0 if report.healthy else 1


def _guest_build(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.build_guest(_say, force=args.force)


def _guest_fetch(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.fetch_guest(args.url, args.sha256, _say)


def _guest_box(args: argparse.Namespace) -> None:
    from course_magics import guest

    guest.ensure_box(_say)


def _engine_prepare(args: argparse.Namespace) -> None:
    from course_magics.engine.embedded.prepare import prepare

    prepare(_say, force=args.force)


def _engine(args: argparse.Namespace) -> None:
    from course_magics.engine import embedded

    if args.word == "start":
        embedded.start(_say)
        _say(f"export DOCKER_HOST=unix://{embedded.socket_path()}")
    elif args.word == "reset":
        embedded.reset()
    elif not embedded.stop():
        _say("it does not run")


def _images_build(args: argparse.Namespace) -> None:
    from course_magics import engine, guest

    with engine.talking("docker build") as api:
        guest.build_images(api, _say, names=args.names or None, force=args.force)
