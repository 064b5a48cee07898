"""`--format`: the part of Go's templates that docker's examples use.

Supported: `{{.A.B}}`, `{{json .}}`, `{{range}}`, `{{if}}`/`{{else}}`, `{{with}}`, `{{index}}`,
`{{len}}`, `{{join}}`, `{{split}}`, `{{upper}}`, `{{lower}}`, `{{title}}`, `{{println}}`,
`{{printf}}`, `{{eq}}`…, variables and pipes, as in https://pkg.go.dev/text/template and docker's
own functions (https://docs.docker.com/engine/cli/formatting/). No library on PyPI does this in
pure Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from course_magics.errors import OptionError

_ACTION = re.compile(r"(\s*)\{\{(-\s)?(.*?)(\s-)?\}\}(\s*)", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)
    |(?P<field>\$?[\w]*(?:\.[\w-]+)+|\.|\$\w*)
    |(?P<word>[A-Za-z_]\w*)|(?P<sign>:=|[()|,=]))""",
    re.VERBOSE,
)


def check(template: str) -> None:
    """Raises OptionError where `template` cannot be read."""
    _Parser(template).parse()


def render(template: str, value: Any) -> str:
    """`value` (dicts, lists, plain values) through `template`. Raises OptionError."""
    nodes = _Parser(template).parse()
    return "".join(_emit(nodes, _Scope(value, {"$": value})))


@dataclass
class _Node:
    """Text, or an action: kind, its tokens, its bodies."""

    kind: str
    text: str = ""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    body: list[_Node] = field(default_factory=list)
    other: list[_Node] = field(default_factory=list)


@dataclass
class _Scope:
    dot: Any
    names: dict[str, Any]


class _Parser:
    def __init__(self, template: str) -> None:
        self.pieces: list[_Node] = []
        at = 0
        template = template.replace("\\t", "\t").replace("\\n", "\n")
        for match in _ACTION.finditer(template):
            before = template[at : match.start()] + ("" if match[2] else match[1])
            if before:
                self.pieces.append(_Node("text", before))
            self.pieces.append(_action(match[3].strip()))
            at = match.end() if match[4] else match.end() - len(match[5])
        rest = template[at:]
        if "{{" in rest:
            raise OptionError(f"--format: {{{{ is never closed: {rest!r}", hint="close it with }}")
        self.pieces.append(_Node("text", rest))
        self.at = 0

    def parse(self) -> list[_Node]:
        nodes, end = self._until()
        if end:
            raise OptionError(f"--format: {{{{{end}}}}} without a beginning")
        return nodes

    def _until(self) -> tuple[list[_Node], str]:
        nodes: list[_Node] = []
        while self.at < len(self.pieces):
            node = self.pieces[self.at]
            self.at += 1
            if node.kind in ("end", "else"):
                return nodes, node.kind
            if node.kind in ("range", "if", "with"):
                node.body, end = self._until()
                if end == "else":
                    node.other, end = self._until()
                if end != "end":
                    raise OptionError(f"--format: {{{{{node.kind}}}}} has no {{{{end}}}}")
            nodes.append(node)
        return nodes, ""


def _action(text: str) -> _Node:
    if text.startswith("/*"):
        return _Node("text", "")
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or match.end() == at:
            raise OptionError(f"--format: cannot read {text[at:]!r} in {{{{{text}}}}}")
        kind = str(match.lastgroup)
        found = match[kind]
        if kind == "field" and tokens and tokens[-1][1] == ")" and match.start(kind) == at:
            kind = "chain"  # (index .X 0).Name: a field of what the parentheses gave
        tokens.append((kind, found))
        at = match.end()
    first = tokens[0][1] if tokens and tokens[0][0] == "word" else ""
    if first in ("range", "if", "with", "end", "else"):
        return _Node(first, text, tokens[1:])
    return _Node("print", text, tokens)


def _emit(nodes: Sequence[_Node], scope: _Scope) -> list[str]:
    out: list[str] = []
    for node in nodes:
        if node.kind == "text":
            out.append(node.text)
        elif node.kind == "range":
            out += _range(node, scope)
        elif node.kind in ("if", "with"):
            value = _pipeline(node.tokens, scope)
            inner = _Scope(value, scope.names) if node.kind == "with" else scope
            out += _emit(node.body, inner) if _true(value) else _emit(node.other, scope)
        elif len(node.tokens) > 2 and node.tokens[1][1] in (":=", "="):
            scope.names[node.tokens[0][1]] = _pipeline(node.tokens[2:], scope)
        else:
            out.append(_text(_pipeline(node.tokens, scope)))
    return out


def _range(node: _Node, scope: _Scope) -> list[str]:
    names: list[str] = []
    tokens = node.tokens
    if any(t[1] == ":=" for t in tokens):
        split = next(i for i, t in enumerate(tokens) if t[1] == ":=")
        names = [t[1] for t in tokens[:split] if t[0] == "field"]
        tokens = tokens[split + 1 :]
    value = _pipeline(tokens, scope)
    pairs: list[tuple[Any, Any]]
    if isinstance(value, dict):
        pairs = sorted(value.items())
    elif isinstance(value, list | tuple):
        pairs = list(enumerate(value))
    elif value is None:
        pairs = []
    else:
        raise OptionError(f"--format: cannot range over {_text(value)!r} in {{{{{node.text}}}}}")
    out: list[str] = []
    for key, item in pairs:
        bound = dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=False))
        out += _emit(node.body, _Scope(item, {**scope.names, **bound}))
    return out if pairs else _emit(node.other, scope)


def _pipeline(tokens: Sequence[tuple[str, str]], scope: _Scope) -> Any:
    value, rest = _command(list(tokens), scope, [])
    while rest and rest[0] == ("sign", "|"):
        value, rest = _command(rest[1:], scope, [value])
    if rest:
        raise OptionError(f"--format: unexpected {rest[0][1]!r}")
    return value


def _command(
    tokens: list[tuple[str, str]], scope: _Scope, extra: list[Any]
) -> tuple[Any, list[tuple[str, str]]]:
    name = ""
    if tokens and tokens[0][0] == "word" and tokens[0][1] not in ("true", "false", "nil"):
        name = tokens.pop(0)[1]
    values: list[Any] = []
    while tokens and tokens[0] not in (("sign", "|"), ("sign", ")")):
        value, tokens = _operand(tokens, scope)
        values.append(value)
    values += extra
    if not name:
        if len(values) != 1:
            raise OptionError("--format: one value is expected in {{…}}")
        return values[0], tokens
    if name not in _FUNCTIONS:
        raise OptionError(
            f"--format: {name!r} is not supported here", hint=f"allowed: {', '.join(_FUNCTIONS)}"
        )
    try:
        return _FUNCTIONS[name](*values), tokens
    except OptionError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise OptionError(f"--format: {name} cannot be used like that: {error}") from None


def _operand(tokens: list[tuple[str, str]], scope: _Scope) -> tuple[Any, list[tuple[str, str]]]:
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "string":
        return (text[1:-1] if text[0] == "`" else json.loads(text)), rest
    if kind == "number":
        return (float(text) if "." in text else int(text)), rest
    if kind == "field":
        return _field(text, scope), rest
    if kind == "sign" and text == "(":
        depth = 1
        for i, token in enumerate(rest):
            depth += {"(": 1, ")": -1}.get(token[1], 0) if token[0] == "sign" else 0
            if depth == 0:
                value, rest = _pipeline(rest[:i], scope), rest[i + 1 :]
                if rest and rest[0][0] == "chain":
                    value, rest = _field(rest[0][1], _Scope(value, scope.names)), rest[1:]
                return value, rest
        raise OptionError("--format: ( is never closed")
    if kind == "word" and text in ("true", "false", "nil"):
        return {"true": True, "false": False, "nil": None}[text], rest
    raise OptionError(f"--format: unexpected {text!r}")


def _field(path: str, scope: _Scope) -> Any:
    head, *names = path.split(".")
    if head and head not in scope.names:
        raise OptionError(f"--format: unknown variable {head}")
    value = scope.names[head] if head else scope.dot
    for name in filter(None, names):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise OptionError(f"--format: {path} has no field {name!r}")
        if name not in value:
            from course_magics.errors import closest

            near = closest(name, value)
            few = ", ".join(list(value)[:12])
            raise OptionError(
                f"--format: no field .{name}",
                hint=f"did you mean .{near}?" if near else f"fields: {few}",
            )
        value = value[name]
    return value


def _true(value: Any) -> bool:
    return bool(value)


def _text(value: Any) -> str:
    """As Go prints it: maps as map[k:v], lists as [a b], nil as <no value>."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_text(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_text(v) for v in value) + "]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, dict) else value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    form = form.replace("%v", "%s").replace("%q", '"%s"').replace("%t", "%s")
    return form % tuple(v if isinstance(v, int | float) else _text(v) for v in values)


def _json(value: Any) -> str:
    """As docker's client writes it: no spaces, nothing escaped that need not be."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json,
    "len": len,
    "index": _index,
    "join": lambda items, sep: sep.join(_text(i) for i in items or ()),
    "split": lambda text, sep: text.split(sep),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": lambda text: text.title(),
    "truncate": lambda text, size: text[:size],
    "pad": lambda text, left, right: " " * left + text + " " * right,
    "println": lambda *v: " ".join(_text(i) for i in v) + "\n",
    "print": lambda *v: "".join(_text(i) for i in v),
    "printf": _printf,
    "slice": lambda text, start=0, end=None: text[start:end],
    "eq": lambda a, *b: any(a == x for x in b),
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "and": lambda *v: next((x for x in v if not x), v[-1]),
    "or": lambda *v: next((x for x in v if x), v[-1]),
    "not": lambda v: not v,
}
