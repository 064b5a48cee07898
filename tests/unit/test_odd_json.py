"""Files of ours that are JSON and hold something else than we wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from course_magics import labels
from course_magics.engine.embedded.prepare import Prepared
from course_magics.errors import MachineError
from course_magics.guest.model import FORMAT, Guest

_GUEST = {"format": FORMAT, "hash": "0", "files": {"kernel": "k", "initrd": "i", "disk": "d"}}


@pytest.mark.parametrize(
    ("key", "value"),
    [("hash", None), *(("files", odd) for odd in (None, 5, "x", [], {}))],
)
def test_a_guest_that_lacks_something_is_said_in_a_line(
    tmp_path: Path, key: str, value: object
) -> None:
    for name in "kid":
        (tmp_path / name).touch()
    odd = {k: v for k, v in _GUEST.items() if k != key} if value is None else {**_GUEST, key: value}
    (tmp_path / "guest.json").write_text(json.dumps(odd))
    with pytest.raises(MachineError):
        Guest.load(tmp_path)


@pytest.mark.parametrize("odd", [{}, {"sizes": None}, {"hash": "0"}, {"hardware": 5, "hash": "0"}])
def test_a_snapshot_that_lacks_something_is_said_in_a_line(
    tmp_path: Path, odd: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guest, "load", lambda folder: None)
    (tmp_path / "prepared.json").write_text(json.dumps(odd))
    with pytest.raises(MachineError):
        Prepared.load(tmp_path)


def test_an_owner_whose_pid_is_no_number_of_ours() -> None:
    parts = labels.owner().split(":")
    assert labels.lives(":".join([*parts[:3], "²", parts[4]])) is None
