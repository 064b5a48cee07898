"""What the nouns of the command share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from course_magics.terminal import Parser, say

__all__ = ["Words", "noun", "say"]

if TYPE_CHECKING:
    Words = argparse._SubParsersAction[Parser]


def noun(words: Words, name: str, help: str) -> Words:
    """Declare a noun that has words of its own; returns where they are declared."""
    return words.add_parser(name, help=help).add_subparsers(metavar="WORD", required=True)
