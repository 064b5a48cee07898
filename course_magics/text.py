"""Text from outside, made safe to be shown."""

from __future__ import annotations

import unicodedata


def clean(value: object) -> str:
    """`value` as text on one terminal line: no control or direction characters get through."""
    text = str(value)
    if text.isascii() and text.isprintable():  # nearly always: a table of hundreds stays quick
        return text
    text = text.replace("\t", " ").replace("\r\n", " ").replace("\n", " ")
    return "".join(c if unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else "�" for c in text)
