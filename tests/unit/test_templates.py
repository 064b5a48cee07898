"""`--format`: Go's templates as docker's examples use them."""

import pytest

from course_magics.containers.templates import render
from course_magics.errors import OptionError

VALUE = {
    "Names": "web",
    "State": {"Running": True, "Pid": 42},
    "List": ["a", "b"],
    "Map": {"k": "v", "a": 1},
    "Empty": [],
    "Nothing": None,
    "Html": "<&>",
    "Nested": [{"Port": 80}],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Names}}", "web"),
        ("{{ .Names }}!", "web!"),
        ("{{.State.Running}}", "true"),
        ("{{json .State}}", '{"Running":true,"Pid":42}'),
        ("{{json .Html}}", '"<&>"'),
        ("{{(index .Nested 0).Port}}", "80"),
        ("{{.List}}", "[a b]"),
        ("{{.Map}}", "map[a:1 k:v]"),
        ("{{range .List}}{{.}},{{end}}", "a,b,"),
        ("{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=1;k=v;"),
        ("{{range $i, $e := .List}}{{$i}}{{$e}}{{end}}", "0a1b"),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if .Empty}}x{{end}}", ""),
        ("{{with .State}}{{.Pid}}{{end}}", "42"),
        ('{{index .Map "k"}}', "v"),
        ("{{index .List 1}}", "b"),
        ("{{len .List}}", "2"),
        ('{{join .List "-"}}', "a-b"),
        ("{{upper .Names}}", "WEB"),
        ("{{.Names | upper | lower}}", "web"),
        ('{{printf "%s:%d" .Names .State.Pid}}', "web:42"),
        ("{{println .Names}}", "web\n"),
        ("a\\tb", "a\tb"),
        ("{{.Nothing}}", "<no value>"),
        ('{{if eq .Names "web"}}yes{{end}}', "yes"),
        ("{{$x := .Names}}{{$x}}", "web"),
        ("{{/* comment */}}x", "x"),
        ("{{if and .List (not .Empty)}}both{{end}}", "both"),
        ("a {{- .Names -}} b", "awebb"),
    ],
)
def test_renders_as_go_does(template: str, text: str) -> None:
    assert render(template, VALUE) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{.Nmaes}}",
        "{{.Names",
        "{{range .List}}",
        "{{end}}",
        "{{nothing .Names}}",
        "{{.Names.More}}",
        "{{range .Names}}{{end}}",
        "{{index .List 9}}",
        "{{}}",
        "{{(.Names}}",
        "{{$undefined}}",
        "{{join .List}}",
    ],
)
def test_what_cannot_be_read_is_one_clear_line(template: str) -> None:
    with pytest.raises(OptionError, match="--format") as caught:
        render(template, VALUE)
    assert "\n" not in caught.value.message


def test_a_misspelled_field_gets_the_closest_one() -> None:
    with pytest.raises(OptionError) as caught:
        render("{{.Nmaes}}", VALUE)
    assert caught.value.hint == "did you mean .Names?"
