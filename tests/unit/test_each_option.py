"""Each flag of run, create and build is an option that reaches the engine, or is listed as none."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from course_magics.containers.build.build import BuildOptions
from course_magics.containers.options import RunOptions, config
from course_magics.magics import dockerfile
from course_magics.magics.container import MAGIC
from course_magics.magics.grammar import Word

#: What `docker create` says outside of the container's settings, or does itself.
_NOT_IN_THE_BODY = {
    "name": "in the request's address",
    "platform": "in the request's address",
    "pull": "done before",
    "attach": "which streams the magic listens to",
    "sig_proxy": "what the magic does with a signal",
}
#: A value for what takes no other text, as the command line has it.
_VALUES: dict[str, Any] = {
    "attach": ["stdin"], "publish": ["80:80"], "expose": ["80"], "volume": ["data:/v"],
    "mount": ["type=volume,src=v,dst=/v"], "tmpfs": ["/t"], "add_host": ["a:1.2.3.4"],
    "dns": ["1.2.3.4"], "memory_swap": "2g", "blkio_weight_device": ["/dev/sda:100"],
    "device_read_bps": ["/dev/sda:1m"], "device_write_bps": ["/dev/sda:1m"],
    "device_read_iops": ["/dev/sda:10"], "device_write_iops": ["/dev/sda:10"],
    "ulimit": ["nofile=10"], "sysctl": ["net.x=1"], "device": ["/dev/null"], "gpus": "all",
    "security_opt": ["no-new-privileges"], "restart": "always", "env": ["A=1"],
    "log_opt": ["a=1"], "label": ["a=1"], "annotation": ["a=1"], "storage_opt": ["size=1g"],
    "mac_address": "02:42:ac:11:00:02", "ip": "10.0.0.9", "ip6": "fd00::9",
    "link_local_ip": ["169.254.0.9"],
}  # fmt: skip
#: An address or an alias belongs to a network, a time of a health check to its command.
_WITH: dict[str, RunOptions] = {
    **dict.fromkeys(
        ("ip", "ip6", "link_local_ip", "network_alias", "mac_address"), RunOptions(network=["n"])
    ),
}


def _words() -> list[Word]:
    words = {word.name: word for word in MAGIC.words}
    return [words["run"], words["create"], words["build"], dockerfile.MAGIC.words[0]]


@pytest.mark.parametrize("word", _words(), ids=lambda word: word.name or "dockerfile")
def test_each_flag_is_an_option_or_listed(word: Word) -> None:
    given = {flag.key: flag.empty() for flag in word.all_flags}
    kind = RunOptions if word.name in ("run", "create") else BuildOptions
    kind.from_flags(given)
    with pytest.raises(TypeError, match="no field for new_flag"):
        kind.from_flags({**given, "new_flag": True})


@pytest.mark.parametrize("name", [f.name for f in fields(RunOptions)])
def test_each_option_reaches_the_engine(name: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs"
    file.write_text("A=2\n")
    usual = _WITH.get(name, RunOptions())
    old = getattr(usual, name)
    kind = next(str(f.type) for f in fields(RunOptions) if f.name == name)
    value = _VALUES.get(name)
    if value is None:
        if name.endswith("_file"):
            value = [str(file)]
        elif kind == "bool":
            value = not old
        elif kind.startswith("list"):
            value = ["other"]
        else:
            value = 7 if "int" in kind or "float" in kind else "other"
    same = config("image", [], usual) == config("image", [], replace(usual, **{name: value}))
    assert same is (name in _NOT_IN_THE_BODY)
