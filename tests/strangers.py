"""Another user of this computer, who tries to log in wherever an sshd answers on 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")

#: Published by the Vagrant project, the private half with it: every usual box takes it at first.
PUBLISHED = """\
-----BEGIN RSA PRIVATE KEY-----
MIIEogIBAAKCAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzI
w+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoP
kcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2
hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NO
Td0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcW
yLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQIBIwKCAQEA4iqWPJXtzZA68mKd
ELs4jJsdyky+ewdZeNds5tjcnHU5zUYE25K+ffJED9qUWICcLZDc81TGWjHyAqD1
Bw7XpgUwFgeUJwUlzQurAv+/ySnxiwuaGJfhFM1CaQHzfXphgVml+fZUvnJUTvzf
TK2Lg6EdbUE9TarUlBf/xPfuEhMSlIE5keb/Zz3/LUlRg8yDqz5w+QWVJ4utnKnK
iqwZN0mwpwU7YSyJhlT4YV1F3n4YjLswM5wJs2oqm0jssQu/BT0tyEXNDYBLEF4A
sClaWuSJ2kjq7KhrrYXzagqhnSei9ODYFShJu8UWVec3Ihb5ZXlzO6vdNQ1J9Xsf
4m+2ywKBgQD6qFxx/Rv9CNN96l/4rb14HKirC2o/orApiHmHDsURs5rUKDx0f9iP
cXN7S1uePXuJRK/5hsubaOCx3Owd2u9gD6Oq0CsMkE4CUSiJcYrMANtx54cGH7Rk
EjFZxK8xAv1ldELEyxrFqkbE4BKd8QOt414qjvTGyAK+OLD3M2QdCQKBgQDtx8pN
CAxR7yhHbIWT1AH66+XWN8bXq7l3RO/ukeaci98JfkbkxURZhtxV/HHuvUhnPLdX
3TwygPBYZFNo4pzVEhzWoTtnEtrFueKxyc3+LjZpuo+mBlQ6ORtfgkr9gBVphXZG
YEzkCD3lVdl8L4cw9BVpKrJCs1c5taGjDgdInQKBgHm/fVvv96bJxc9x1tffXAcj
3OVdUN0UgXNCSaf/3A/phbeBQe9xS+3mpc4r6qvx+iy69mNBeNZ0xOitIjpjBo2+
dBEjSBwLk5q5tJqHmy/jKMJL4n9ROlx93XS+njxgibTvU6Fp9w+NOFD/HvxB3Tcz
6+jJF85D5BNAG3DBMKBjAoGBAOAxZvgsKN+JuENXsST7F89Tck2iTcQIT8g5rwWC
P9Vt74yboe2kDT531w8+egz7nAmRBKNM751U/95P9t88EDacDI/Z2OwnuFQHCPDF
llYOUI+SpLJ6/vURRbHSnnn8a/XG+nzedGH5JGqEJNQsz+xT2axM0/W/CRknmGaJ
kda/AoGANWrLCz708y7VYgAtW2Uf1DPOIYMdvo6fxIB5i9ZfISgcJ/bbCUkFrhoH
+vq/5CIWxCPp0f85R4qxxQ5ihxJ0YDQT9Jpx4TMss4PSavPaBH3RXow5Ohe+bYoQ
NE5OgEXk2wVfZczCZpigBKbKZHNYcelXtTt/nP3rsCuGcM4h53s=
-----END RSA PRIVATE KEY-----
"""

_PROGRAM = """
import encodings.idna, json, os, pathlib, select, socket, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor, wait

# Not before it has started: this Python may lie where only its user can read.
os.setgroups([]); os.setgid(65534); os.setuid(65534)
key, users, known = sys.argv[1], sys.argv[2].split(), set(map(tuple, json.loads(sys.argv[3])))
place = tempfile.mkdtemp()
file = pathlib.Path(place) / "key"
file.touch(mode=0o600)
file.write_text(key)
options = ["-oIdentitiesOnly=yes", "-oBatchMode=yes", "-oStrictHostKeyChecking=no",
           "-oUserKnownHostsFile=/dev/null", "-oConnectTimeout=60", "-oLogLevel=ERROR"]
refused, opened = [], []

def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False

def knock(port):
    for user in users if greets(port) else ():
        done = subprocess.run(
            ["ssh", "-F", "none", "-i", str(file), *options, "-p", str(port),
             f"{user}@127.0.0.1", "id -un; hostname"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if "Permission denied" in done.stderr:
            refused.append(port)
        if done.returncode == 0:
            opened.append([port, user, done.stdout])

def listening():
    found = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, address, _, state, *_, inode = line.split()[:10]
        if state == "0A" and address.startswith(("0100007F:", "00000000:")):
            found.add((int(address.partition(":")[2], 16), inode))
    return found - known

print("here", flush=True)
# Each port for itself: one that takes its time (a machine that boots) keeps nobody waiting.
knocking = {}
with ThreadPoolExecutor(32) as pool:
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        for port, _ in listening():
            if port not in knocking or knocking[port].done():
                knocking[port] = pool.submit(knock, port)
    # It is enough: once more, at all that are open now.
    wait(knocking.values())
    list(pool.map(knock, (port for port, _ in listening())))
file.unlink()
os.rmdir(place)
print(json.dumps({"refused": refused, "opened": opened}))
"""


def _listening() -> list[tuple[int, str]]:
    """The ports that are open, each with its socket's inode: a port may soon be another's."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, address, _, state, *_, inode = line.split()[:10]
        if state == "0A":
            found.append((int(address.partition(":")[2], 16), inode))
    return found


class Stranger:
    """Tries a key on each port of 127.0.0.1 that is opened while the `with` block runs."""

    def __init__(self, key: str = PUBLISHED, users: str = "vagrant root", *, old: bool = False):
        """old: on the ports that are open already, too."""
        known = [] if old else _listening()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, key, users, json.dumps(known)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        #: The ports whose sshd refused, once for each time; on which port, and as whom, one let in.
        self.refused: list[int] = []
        self.opened: list[list[object]] = []

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "here\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said = json.loads(self._process.communicate("enough\n")[0])
        self.refused, self.opened = said["refused"], said["opened"]
