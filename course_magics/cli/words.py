"""What the nouns of the command share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Words = argparse._SubParsersAction[argparse.ArgumentParser]


def noun(words: Words, name: str, help: str) -> Words:
    """Declare a noun that has words of its own; returns where they are declared."""
    return words.add_parser(name, help=help).add_subparsers(metavar="WORD", required=True)


def say(line: str) -> None:
    """One line of progress, at once."""
    print(line, flush=True)
