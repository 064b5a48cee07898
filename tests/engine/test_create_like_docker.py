"""`%container create` beside `docker create`: what the engine keeps of each flag is the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from .conftest import Cell

pytestmark = pytest.mark.engine

#: One line of flags each; the files they name are made by `folder`.
_LINES = """
-e A=1 -e HOME -e NOT_SET_ANYWHERE -e A=2 -e B=
--env-file env -e C=over
-l a=b -l c -l d=e=f --label-file labels
-p 80 -p 8081:81/udp -p 127.0.0.1:8082:82 -p 127.0.0.1::83 -p [::1]:8084:84 -p :85 -p 86:86/TCP
-p 8000-8002:80-82 -p 90-92 -p 127.0.0.1:9000-9002:95-97/tcp
-p 8080:80 -p 8081:80
-p 8000-8010:80
--expose 80 --expose 90-92 --expose 53/udp -P
-v /tmp:/a -v /tmp:/b:ro -v /anonymous
-v /tmp:/a:ro,z
--mount type=bind,src=/tmp,dst=/x,readonly
--mount type=bind,src=/tmp,dst=/x,readonly=false,bind-propagation=rshared
--mount type=bind,source=/tmp,target=/x,bind-nonrecursive
--mount type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=1770
--mount dst=/x
--mount TYPE=bind,src=/tmp,dst=/x
--tmpfs /run --tmpfs /t:size=1m,noexec
-w /a -u 1:1 --group-add 5 --entrypoint sh -h box --domainname dom
--entrypoint ''
--network none
--network host
--add-host a:1.2.3.4 --add-host b:host-gateway --dns 1.1.1.1 --dns-search x.y --dns-opt ndots:1
-m 64M --memory-swap 128m --memory-reservation 32m --oom-score-adj 5
-m 64m --memory-swap -1 --shm-size 64m
--cpus .5
-c 512 --cpuset-cpus 0 --cpuset-mems 0
--cpu-period 100000 --cpu-quota 5000 --blkio-weight 100
--pids-limit 10
--pids-limit -1
--ulimit nofile=10:20 --ulimit core=-1 --sysctl net.ipv4.ip_forward=1
--device /dev/null --device /dev/zero:/dev/x --device /dev/full:r --device /dev/tty:/dev/y:rw
--read-only --privileged --init
--cap-add CAP_NET_ADMIN --cap-drop ALL --security-opt no-new-privileges
--security-opt seccomp=unconfined --security-opt label:disable
--pid host --ipc private --uts host --cgroupns host --userns host
--restart always
--restart on-failure:3
--restart unless-stopped
--restart no --rm
--stop-signal TERM --stop-timeout 3
--log-driver json-file --log-opt max-size=1m
--health-cmd true --health-interval 5s --health-retries 2 --health-timeout 1s
--no-healthcheck
--platform linux/amd64 --runtime runc
--gpus all
--gpus 'device=0,capabilities=utility'
--isolation default -a stdout -a STDERR
--disable-content-trust
-it
"""


@pytest.fixture
def folder(here: Path) -> Path:
    """A folder with the files that the lines name."""
    (here / "env").write_text("\ufeff# c\nA=1\n  B= x y \nHOME\nNOT_SET_ANYWHERE\n\nC=under\n")
    (here / "labels").write_text("# c\nl1=a b\nl2\n")
    return here


@pytest.mark.parametrize("flags", _LINES.strip().splitlines())
def test_the_engine_keeps_the_same(
    cell: Cell, api: docker.APIClient, name: str, folder: Path, flags: str
) -> None:
    command = f"docker create --name {name}-theirs {flags} course/busybox true"
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    cell(f"%container create --name {name}-ours {flags} course/busybox true")
    assert _kept(api, f"{name}-ours") == _kept(api, f"{name}-theirs")


def _kept(api: docker.APIClient, name: str) -> dict[str, Any]:
    found = api.inspect_container(name)
    made, host = found["Config"], found["HostConfig"]
    made["Env"] = {item.partition("=")[0]: item for item in made["Env"] or []}  # the last wins
    host["Ulimits"] = sorted(host["Ulimits"] or [], key=lambda u: str(u["Name"]))
    host["Binds"] = sorted(host["Binds"] or [])  # docker's client keeps them in an unordered map
    made["Labels"] = {k: v for k, v in made["Labels"].items() if "course-magics" not in k}
    if made["Hostname"] == found["Id"][:12]:
        made["Hostname"] = ""
    for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"):  # of no effect
        made.pop(key)
    # Podman chooses free ports at once and counts anonymous volumes among the binds.
    for port, chosen in (host["PortBindings"] or {}).items():
        for one in chosen or ():
            if one["HostPort"].isdigit() and int(one["HostPort"]) > 32767:
                one["HostPort"] = f"one for {port}"
    host["Binds"] = [re.sub(r"^[0-9a-f]{64}:", "VOLUME:", bind) for bind in host["Binds"]]
    mounts = [(m["Type"], m["Destination"], m["RW"], m["Mode"]) for m in found["Mounts"]]
    return _filled({"config": made, "host": host, "mounts": sorted(mounts)})


def _filled(value: Any) -> Any:
    """Without what is empty: one says null where the other says []."""
    if isinstance(value, dict):
        return {k: f for k, v in value.items() if (f := _filled(v)) not in (None, "", 0, [], {})}
    return [_filled(v) for v in value] if isinstance(value, list) else value
