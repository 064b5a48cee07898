"""`course-magics registry`: a registry for the class, on this computer."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from course_magics.cli.words import noun, say
from course_magics.errors import OptionError

if TYPE_CHECKING:
    from course_magics.cli.words import Words
    from course_magics.containers.login import Secret
    from course_magics.registry.place import Place


def add(words: Words) -> None:
    """Declare its words."""
    words = noun(words, "registry", "a registry for the class, on 127.0.0.1")
    start = words.add_parser("start", help="start it, and say how it is used")
    start.add_argument("--port", type=int, default=5000, help="of 127.0.0.1 (default: 5000)")
    start.add_argument("--user", default="student", help="who may push (default: student)")
    protect = start.add_mutually_exclusive_group()
    protect.add_argument("--password", action="store_true", help="asks for the password of a push")
    protect.add_argument(
        "--new-password", action="store_true", help="makes one (default: at the first start)"
    )
    protect.add_argument("--password-file", type=Path, help="reads it there")
    protect.add_argument("--open", action="store_true", help="anybody on this computer may push")
    start.add_argument(
        "--mirror", default="", metavar="URL", help="pass on that registry's images, and keep them"
    )
    start.add_argument(
        "--image", default="", help="run this image in place of docker-registry (registry:2)"
    )
    start.set_defaults(run=_start)
    stop = words.add_parser("stop", help="stop it; its images stay")
    stop.add_argument("--remove", action="store_true", help="its images go too")
    stop.set_defaults(run=_stop)
    seed = words.add_parser("seed", help="push the course's base images to it")
    seed.add_argument("names", nargs="*", help="other images (default: the course's)")
    seed.set_defaults(run=_seed)
    status = words.add_parser("status", help="its address, images, tags and sizes")
    status.set_defaults(run=_status)
    for word in (start, stop, seed, status):
        word.add_argument("--folder", type=Path, help="holds its folder course-registry (one each)")


def _place(args: argparse.Namespace) -> Place:
    from course_magics.registry.place import Place

    return Place(args.folder)


def _start(args: argparse.Namespace) -> None:
    from course_magics.registry import server

    place = _place(args)
    facts, made = server.start(
        place,
        port=args.port,
        user=args.user,
        password=_password(args),
        new_password=args.new_password,
        open=args.open,
        mirror=args.mirror,
        image=args.image,
        say=say,
    )
    say(f"the registry runs at {facts.address}; anybody on this computer may pull")
    if facts.user:
        say(f"to push, log in: docker login {facts.address} -u {facts.user}")
    if made is not None:
        say(f"the password: {made.reveal()}    (shown this once; kept in {place.password})")
    elif facts.user and place.password.is_file():
        say(f"the password is that of the last start: in {place.password}")
    if facts.mirror:
        say(f"docker pull {facts.address}/NAME fetches from {facts.mirror} once, and keeps it")
        say(f'for all pulls, in daemon.json: {{"registry-mirrors": ["http://{facts.address}"]}}')
    else:
        say(f"docker tag IMAGE {facts.address}/IMAGE && docker push {facts.address}/IMAGE")


def _password(args: argparse.Namespace) -> Secret | None:
    from course_magics.containers.login import Secret

    if args.password_file is not None:
        try:
            found = Secret(args.password_file.read_text("utf-8").strip())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise OptionError(
                f"--password-file {args.password_file} cannot be read: {why}"
            ) from None
    elif args.password:
        if not sys.stdin.isatty():
            raise OptionError(
                "nobody can be asked for a password here",
                hint="--new-password makes one, --password-file FILE reads one",
            )
        found = Secret(getpass.getpass(f"Password for {args.user}: "))
    else:
        return None
    if not found:
        raise OptionError("the password is empty")
    return found


def _stop(args: argparse.Namespace) -> None:
    from course_magics.registry import server

    facts = server.stop(_place(args), remove=args.remove)
    if facts.port:
        say(f"the registry at {facts.address} is stopped")
    if args.remove:
        say("its images are removed")


def _seed(args: argparse.Namespace) -> None:
    from course_magics.registry.seed import seed

    for moved in seed(_place(args), args.names, say):
        say(f"  {moved.pinned}")


def _status(args: argparse.Namespace) -> int:
    from course_magics.registry.contents import status

    found = status(_place(args))
    say(str(found))
    return 0 if found.running else 1
