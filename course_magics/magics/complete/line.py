"""Completion of a magic's line, from the grammar: words, flags, values, arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from course_magics.errors import OptionError
from course_magics.magics.complete import values
from course_magics.magics.complete.sources import Asked, begun, offers, variables
from course_magics.magics.complete.spot import Found, Offer, Spot
from course_magics.magics.grammar import Flag, Magic, Word, flags_in, group, lookup
from course_magics.magics.words import open_quote, quote_word, split, unfinished

#: What completes an argument or a value where the grammar only has a placeholder for it.
_PLACEHOLDERS = {
    "FILE": "file",
    "PATH": "file",
    "CONTAINER": "container",
    "IMAGE": "image",
    "NETWORK": "network",
    "VOLUME": "volume",
    "SERVICE": "service",
    "NODE": "node",
    "SECRET": "secret",
    "CONFIG": "config",
    "STACK": "stack",
    "CONTEXT": "context",
    "MACHINE": "machine",
    "BOX": "box",
}
#: What completes a flag's value where the grammar does not say, by its long name.
_FLAGS = {
    "--filter": "filter",
    "--mount": "mountspec",
    "--volume": "mount",
    "--volumes-from": "container",
    "--link": "container",
    "--device": "file",
    "--network": "network",
    "--tag": "image",
    "--context": "context",
}
_VARIABLE = re.compile(r"(?:(?<!\$)\$|(?<!\{)\{)([A-Za-z_]\w*)?$")
#: What a word may begin with for `-v` to read: the notebook's folder.
_FOLDER = re.compile(r"\$(PWD|HOME)(?=[:/])")


@dataclass
class State:
    """What stands on the line before the word at the cursor.

    pending: the flag whose value that word is. open: whether it may be a flag.
    """

    args: list[str] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)
    pending: Flag | None = None
    open: bool = True


def state(magic: Magic, word: Word, tokens: Iterable[str]) -> State:
    """Read `tokens`, the words after the word's name; unknown flags count as switches."""
    found = State()
    for token in tokens:
        if found.pending is not None:
            found.given.setdefault(found.pending.long, []).append(token)
            found.pending = None
        elif not found.open or token == "-" or not token.startswith("-"):
            found.args.append(token)
            found.open = found.open and word.interspersed
        elif token == "--":
            found.open = False
        else:
            _read_flag(magic, word, token, found)
    return found


def _read_flag(magic: Magic, word: Word, token: str, found: State) -> None:
    try:
        for flag, _, text in flags_in(magic, word, token):
            if text is None and flag.kind != "switch":
                found.pending = flag
            else:
                found.given.setdefault(flag.long, []).append(text or "true")
    except OptionError:
        return


def complete(spot: Spot, user: Mapping[str, Any], wait: float) -> Found | None:
    """What may stand at the end of the line. user: the notebook's values. wait: see `Asked`."""
    parts = unfinished(spot.line)
    if parts is None:
        return None
    tokens, raw = parts
    if open_quote(raw) != "'" and (match := _VARIABLE.search(raw)):
        return _variables(match, user)
    return _found(spot, tokens, raw, user, wait)


def _found(spot: Spot, tokens: list[str], raw: str, user: Mapping[str, Any], wait: float) -> Found:
    """What may stand after the words `tokens`: the program's own flags, a word, what follows it."""
    magic = spot.magic
    program = Word("", "", flags=magic.flags)
    before, tokens = before_word(magic, program, tokens)
    asked = Asked("", program, wait, before.given, [], spot.body, user, magic.name == "compose")
    if before.pending is not None:
        return _value(before.pending, raw, asked)
    if not tokens and raw.partition("=")[0] in _names(program) and "=" in raw:
        return _flag_or_value(magic, program, before, raw, asked)
    found = lookup(magic, tokens)
    if found is None:
        own = [o for o in _flags(program, before, raw) if o.text in _names(program)]
        return Found(raw, [*_words(magic, tokens, raw), *([] if tokens else own)])
    put = _after(found, spot.magic, tokens, raw, asked)
    if not tokens and magic.flags and (not raw or raw.startswith("-")):
        return Found(put.fragment, [*put.offers, *_own(_flags(program, before, raw), put.offers)])
    return put


def _names(word: Word) -> set[str]:
    return {name for flag in word.flags for name in flag.names.split()}


def _own(more: list[Offer], there: list[Offer]) -> list[Offer]:
    known = {offer.text for offer in there}
    return [offer for offer in more if offer.text not in known]


def before_word(magic: Magic, program: Word, tokens: list[str]) -> tuple[State, list[str]]:
    """The program's own flags at the beginning (`-p NAME up`), and what comes after them."""
    now, rest, known = State(), list(tokens), _names(program)
    while rest and (rest[0].partition("=")[0] in known or rest[0][:2] in known - {"--"}):
        _read_flag(magic, program, rest.pop(0), now)
        if now.pending is not None and rest:
            now.given.setdefault(now.pending.long, []).append(rest.pop(0))
            now.pending = None
    return now, rest


def _after(
    found: tuple[Word, list[str]], magic: Magic, tokens: list[str], raw: str, asked: Asked
) -> Found:
    """What may stand after a word of the magic's."""
    word, rest = found
    if not tokens and not raw.startswith("-") and (words := _words(magic, tokens, raw)):
        # `%lesson`: a word or, at the same place, the argument of the word without a name
        also = _put(raw, kind, asked).offers if (kind := word.offer(0)) else []
        return Found(raw, [*also, *words, *(_flags(word, State(), raw) if not raw else [])])
    if not rest and raw and tokens and (more := group(magic, " ".join(tokens))):
        return Found(raw, begun(((n, w.summary) for n, w in more.items()), raw))
    now = state(magic, word, rest)
    asked.word, asked.args = word, now.args
    asked.flags = {**asked.flags, **now.given}
    if now.pending is not None:
        return _value(now.pending, raw, asked)
    if now.open and raw.startswith("-"):
        return _flag_or_value(magic, word, now, raw, asked)
    kind = word.offer(len(now.args)) or _place(word, len(now.args))
    put = _put(raw, kind, asked)
    if now.open and not raw:
        return Found(raw, [*put.offers, *_flags(word, now, raw)])
    return put


def _place(word: Word, position: int) -> str:
    places = word.places
    if not places or (position >= len(places) and "..." not in places[-1]):
        return ""
    place = places[min(position, len(places) - 1)]
    name = re.match(r"\W*([A-Z]+)", place)
    return "image" if ":TAG" in place else _PLACEHOLDERS.get(name[1], "") if name else ""


def _variables(match: re.Match[str], user: Mapping[str, Any]) -> Found:
    typed = match[1] or ""
    found = [o for o in variables(Asked("", Word("", ""), values=user)) if o.text.startswith(typed)]
    end = "}" if match[0].startswith("{") else ""
    return Found(typed, [Offer(o.text + end, o.what) for o in found])


def _words(magic: Magic, tokens: list[str], raw: str) -> list[Offer]:
    """The words, or the second words of a group."""
    if tokens == ["help"]:
        tokens = []
    if tokens:
        more = group(magic, " ".join(tokens))
        return begun(((name, word.summary) for name, word in more.items()), raw)
    found: dict[str, str] = {}
    for word in magic.words:
        first, _, second = word.name.partition(" ")
        if first and not second:
            found[first] = word.summary
    for word in magic.words:
        for name in (word.name, *word.aliases):
            first, _, second = name.partition(" ")
            if second and first not in found:
                found[first] = f"group: {', '.join(group(magic, first))}"
            elif raw and first:
                found.setdefault(first, word.summary)
    return begun(found.items(), raw)


def _flags(word: Word, now: State, raw: str) -> list[Offer]:
    """The flags that may still come; a list's may come again. Long names before short ones."""
    long: list[Offer] = []
    short: list[Offer] = []
    for flag in word.all_flags:
        if flag.long in now.given and flag.kind != "list":
            continue
        value = "" if flag.kind == "switch" else f" ({flag.value or flag.kind})"
        for name in flag.names.split():
            offer = Offer(name, flag.help + value)
            (long if name.startswith("--") else short).append(offer)
    ours = {
        name for flag in word.all_flags if flag not in word.flags for name in flag.names.split()
    }
    theirs_first = sorted(long, key=lambda o: o.text in ours) + (short if raw != "--" else [])
    return [o for o in theirs_first if o.text.startswith(raw)]


def _flag_or_value(magic: Magic, word: Word, now: State, raw: str, asked: Asked) -> Found:
    name, equals, value = raw.partition("=")
    try:
        flags = flags_in(magic, word, name if equals else raw)
    except OptionError:
        flags = []
    if equals and flags:
        return _value(flags[-1][0], value, asked)
    if flags and not raw.startswith("--"):
        flag, short, text = flags[-1]
        if text is not None:  # `-vdata`: the value follows without a space
            return _value(flag, raw[raw.index(short[1]) + 1 :], asked)
    return Found(raw, _flags(word, now, raw))


def _value(flag: Flag, raw: str, asked: Asked) -> Found:
    """The value of a flag."""
    if flag.values:
        given = [
            (value, f"{flag.help} (default)" * (value == flag.default)) for value in flag.values
        ]
        return Found(raw, [Offer(v, what or flag.help) for v, what in given if v.startswith(raw)])
    if flag.kind == "switch":
        return Found(raw, begun([("true", flag.help), ("false", f"not: {flag.help}")], raw))
    if not flag.offers and flag.long in values.BY_FLAG:
        known = begun(values.BY_FLAG[flag.long], raw)
        return Found(raw, known)
    ours = flag.long == "--output" and flag.value == "NAME"
    kind = "name" if ours else _FLAGS.get(flag.long, "") or _PLACEHOLDERS.get(flag.value, "")
    return _put(raw, flag.offers or kind, asked)


def _put(raw: str, kind: str, asked: Asked) -> Found:
    """The offers for the word `raw`, written so that they stay one word on the line."""
    quote = open_quote(raw)
    typed = raw[raw.rfind(quote) + 1 :] if quote else raw
    text = _plain(raw, quote)
    asked.text = text
    # What stands before the last separator stays, so that the list shows only what is new.
    # Control characters have no place on a line, nor half a character of another encoding.
    found = [o for o in offers(kind, asked) if o.text != "" and o.text.isprintable()]
    if quote:
        # Between quotes nothing could keep these from being read as more than characters.
        plain = [o for o in found if not set(o.text) & {quote, "{", "$", "\\"}]
        keep = len(text) - len(typed) if text.endswith(typed) else 0
        return Found(typed, [Offer(o.text[keep:], o.what) for o in plain])
    return Found(raw, [Offer(_on_the_line(o.text, raw), o.what) for o in found])


def _on_the_line(text: str, raw: str) -> str:
    """An offer so that it is read as just this text, whatever somebody has called a file.

    raw: what has been typed of it.
    """
    folder = _FOLDER.match(raw or text)
    if folder and (raw or text == f"{folder[0]}:"):
        return folder[0] + quote_word(text.removeprefix(folder[0]))
    return quote_word(text)


def _plain(raw: str, quote: str) -> str:
    """The text that `raw` stands for."""
    backslashes = len(raw) - len(raw.rstrip("\\"))
    if backslashes % 2 and quote != "'":
        raw = raw[:-1]
    words = split(raw + quote, None)
    return words[0] if words else ""
