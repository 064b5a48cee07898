"""A Dockerfile's instructions and the cell's lines on which they stand."""

import pytest

from course_magics.containers.build.instructions import heredoc, read, stages
from course_magics.containers.images import instruction as made_by_words

DOCKERFILE = """\
# syntax=x

ARG BASE=course/busybox
FROM $BASE AS one
RUN a \\
    # a comment inside
    && b

RUN <<EOF
FROM inside a heredoc
EOF
from course/debian
copy --from=one /a /b
CMD ["x"]
"""


def test_lines_stages_and_heredocs() -> None:
    found = [(i.keyword, i.line, i.stage) for i in read(DOCKERFILE)]
    assert found == [
        ("ARG", 3, 0),
        ("FROM", 4, 0),
        ("RUN", 5, 0),
        ("RUN", 9, 0),
        ("FROM", 12, 1),
        ("COPY", 13, 1),
        ("CMD", 14, 1),
    ]
    assert read(DOCKERFILE)[2].text == "RUN a && b"
    assert stages(read(DOCKERFILE)) == ["one"]


def test_what_is_no_heredoc() -> None:
    """A word must begin with it, as BuildKit sees it."""
    assert not any(heredoc(i) for i in read("RUN echo $((1<<x))\nRUN cat <<<x\nENV A=<<EOF\n"))
    assert [heredoc(i) for i in read("RUN cat 3<<-'EOF' >/x\nEOF\nCOPY <<a <<b /\na\nb\n")] == [
        True,
        True,
    ]


def test_another_escape_character() -> None:
    assert read("# escape=`\nFROM x\nRUN a `\n b")[1].text == "RUN a b"


def test_an_empty_file() -> None:
    assert read("\n# only a comment\n") == []


@pytest.mark.parametrize(
    ("made_by", "shown"),
    [
        (f"/bin/sh -c #(nop) ADD file:{'e9' * 32} in / ", "ADD (file) /"),
        (f"/bin/sh -c #(nop) COPY multi:{'0a' * 32} in /srv/ ", "COPY (multi) /srv/"),
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/sh -e -c #(nop) WORKDIR /app", "WORKDIR /app"),
        ("/bin/bash -o -c #(nop)  USER nobody", "USER nobody"),
        ("/bin/sh -c echo file:a in b", "RUN echo file:a in b"),
        ("RUN /bin/sh -c echo a # buildkit", "RUN echo a"),
    ],
)
def test_what_made_a_layer_has_no_digest(made_by: str, shown: str) -> None:
    assert made_by_words(made_by) == shown
