"""The line in ~/.ssh/config that shows the hosts to ssh."""

from pathlib import Path

import pytest

from course_magics.machines import hosts


def test_the_reader_s_own_lines_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    file = tmp_path / "config"
    file.write_text("Host mine\n  Port 22\n")
    file.chmod(0o640)
    hosts.show_to_ssh(file=file)
    text = file.read_text()
    assert text.index("Include") < text.index("Host mine"), (
        "within a Host it would count there only"
    )
    assert file.stat().st_mode & 0o777 == 0o640
    hosts.show_to_ssh(file=file)
    assert file.read_text() == text
    hosts.show_to_ssh(gone=True, file=file)
    assert file.read_text() == "Host mine\n  Port 22\n"


def test_a_file_of_ours_alone_goes_again(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "config"
    hosts.show_to_ssh(file=file)
    assert file.stat().st_mode & 0o777 == 0o600
    hosts.show_to_ssh(gone=True, file=file)
    assert not file.exists()
