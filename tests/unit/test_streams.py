"""Output as it comes: decoded, bounded, nothing lost."""

from course_magics.streams import Stream


class Screen:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.flushes = 0

    def show(self, text: str) -> None:
        self.pieces.append(text)

    def flush(self) -> None:
        self.flushes += 1

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def stream(screen: Screen, **limits: int) -> Stream:
    return Stream(screen.show, screen.flush, **limits)


def test_the_first_piece_is_shown_at_once() -> None:
    screen = Screen()
    stream(screen).write(b"hello\n")
    assert screen.pieces == ["hello\n"]
    assert screen.flushes == 1


def test_a_character_cut_in_two_is_whole() -> None:
    screen = Screen()
    out = stream(screen)
    for byte in "é容".encode():
        out.write(bytes([byte]))
    out.close()
    assert screen.text == "é容"


def test_broken_utf8_survives() -> None:
    screen = Screen()
    out = stream(screen)
    out.write(b"a\xffb\xc3")
    out.close()
    assert screen.text == "a\ufffdb\ufffd"
    assert out.data == b"a\xffb\xc3"


def test_a_long_output_keeps_head_and_tail_and_names_the_file() -> None:
    screen = Screen()
    out = stream(screen, limit=100, tail=10)
    for number in range(1000):
        out.write(f"{number:04d}\n".encode())
    out.close()
    assert screen.text.startswith("0000\n0001\n")
    assert screen.text.endswith("0998\n0999\n")
    assert "4890 bytes left out" in screen.text
    assert out.file is not None
    assert str(out.file) in screen.text
    assert out.file.read_bytes() == b"".join(f"{n:04d}\n".encode() for n in range(1000))
    assert len(out.data) == 110
    out.file.unlink()


def test_an_output_of_just_the_limit_is_whole() -> None:
    screen = Screen()
    out = stream(screen, limit=100)
    out.write(b"x" * 100)
    out.close()
    assert screen.text == "x" * 100
    assert out.file is None
