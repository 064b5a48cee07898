"""A Dockerfile's instructions and the cell's lines on which they stand."""

from course_magics.containers.build.instructions import read, stages

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


def test_another_escape_character() -> None:
    assert read("# escape=`\nFROM x\nRUN a `\n b")[1].text == "RUN a b"


def test_an_empty_file() -> None:
    assert read("\n# only a comment\n") == []
