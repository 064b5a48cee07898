"""Command lines from Docker's documentation, and what each must have done.

Facts only: a page of docs.docker.com names the source. In each line `docker` became `%container` and the
images became the course's own; likewise `docker compose` became `%compose`. NAME stands for a name of this test's, and is all that was added so
that lines do not get into each other's way. `holds` is a line of docker's own client whose output
must contain `says` afterwards; "" asks for the cell's own output instead.
"""

from __future__ import annotations

from dataclasses import dataclass

_CLI = "reference/cli/docker/"


@dataclass(frozen=True)
class Example:
    """page: under docs.docker.com. before: cells that it builds on. cell: as pasted."""

    page: str
    cell: str
    says: str
    holds: str = ""
    before: tuple[str, ...] = ()


UP = "%container run -d --name NAME course/busybox sleep 99"
INSPECT = "inspect NAME -f"
WEB = "inspect NAME-web-1 -f"


def _e(page: str, cell: str, says: str, holds: str = "", *before: str) -> Example:
    return Example(_CLI + page, cell, says, holds, before)


#: The project that the lines of compose are about.
STACK = """\
%%compose -p NAME up -d
services:
  web:
    image: course/busybox
    command: sh -c 'echo hello; exec sleep 99'
    stop_grace_period: 0s
    ports: ["127.0.0.1::80"]
    volumes: ["data:/data"]
volumes:
  data:
"""


def _c(word: str, cell: str, says: str, holds: str = "", *before: str) -> Example:
    return _e(f"compose/{word}/", cell, says, holds, STACK, *before)


EXAMPLES = (
    # run
    _e("container/run/", "%container run --name NAME -d course/busybox sleep 99", "running", f"{INSPECT} {{{{.State.Status}}}}"),
    _e("container/run/", "%container run --rm course/debian ls /etc/debian_version", "/etc/debian_version"),
    _e("container/run/", "%container run -it --rm course/debian bash -c 'exit 0'", "docker run"),
    _e("container/run/", "%container run --name NAME -w /path/to/dir/ -i course/busybox pwd", "/path/to/dir"),
    _e("container/run/", "%container run --read-only --tmpfs /run --rm course/busybox touch /run/x", "docker run"),
    _e("container/run/", "%container run --rm -v /doesnt/exist:/foo -w /foo -i course/busybox pwd", "/foo"),
    _e("container/run/", "%container run -d --name NAME -p 127.0.0.1::80/tcp course/busybox sleep 99", "127.0.0.1", "port NAME 80/tcp"),
    _e("container/run/", "%container run -d --name NAME --expose 80 course/busybox sleep 99", "80/tcp", f"{INSPECT} {{{{.Config.ExposedPorts}}}}"),
    _e("container/run/", "%container run --rm -e MYVAR1=one --env MYVAR2=foo course/busybox env", "MYVAR2=foo"),
    _e("container/run/", "%container run -d --name NAME -l my-label --label com.example.foo=bar course/busybox sleep 99", "bar", INSPECT + ' \'{{index .Config.Labels "com.example.foo"}}\''),
    _e("container/run/", "%container run -d --name NAME --restart=on-failure:10 course/busybox sleep 99", "on-failure 10", f"{INSPECT} '{{{{.HostConfig.RestartPolicy.Name}}}} {{{{.HostConfig.RestartPolicy.MaximumRetryCount}}}}'"),
    _e("container/run/", "%container run --rm --add-host=my-hostname:10.180.0.1 course/busybox grep my-hostname /etc/hosts", "10.180.0.1"),
    _e("container/run/", "%container run -d --name NAME -m 300M course/busybox sleep 99", "314572800", f"{INSPECT} {{{{.HostConfig.Memory}}}}"),
    _e("container/run/", "%container run -d --name NAME --cpus=0.5 course/busybox sleep 99", "500000000", f"{INSPECT} {{{{.HostConfig.NanoCpus}}}}"),
    _e("container/run/", "%container run --rm --entrypoint echo course/busybox hello", "hello"),
    _e("container/run/", "%container run --rm --hostname web course/busybox hostname", "web"),
    _e("container/run/", "%container run --rm --user 1000 course/busybox id -u", "1000"),
    _e("container/run/", "%container run --rm --network none course/busybox ls /sys/class/net", "lo"),
    _e("container/run/", "%container run --rm --init course/busybox ps", "init"),
    _e("container/run/", "%%container run --rm -i course/busybox cat\ntest data\n", "test data"),
    # create, start, exec
    _e("container/create/", "%container create --name NAME course/busybox echo hi", "created", f"{INSPECT} {{{{.State.Status}}}}"),
    _e("container/start/", "%container start -a NAME", "hi", "", "%container create --name NAME course/busybox echo hi"),
    _e("container/exec/", "%container exec -d NAME touch /tmp/execWorks", "/tmp/execWorks", "exec NAME ls /tmp/execWorks", UP),
    _e("container/exec/", "%container exec -e VAR_A=1 -e VAR_B=2 NAME env", "VAR_B=2", "", UP),
    _e("container/exec/", "%container exec -it -w /root NAME pwd", "/root", "", UP),
    _e("container/exec/", '%container exec NAME sh -c "echo a && echo b"', "b", "", UP),
    # ps: filters and formats
    _e("container/ls/", "%container ps --filter name=NAME --no-trunc", "sleep 99", "", UP),
    _e("container/ls/", "%container ps -a --filter 'exited=0' --filter name=NAME", "exited (0)", "", "%container run --name NAME course/busybox true"),
    _e("container/ls/", '%container ps --filter "label=color=blue" --format "{{.Names}}"', "NAME", "", "%container run -d --name NAME --label color=blue course/busybox sleep 99"),
    _e("container/ls/", "%container ps --filter status=running --filter name=NAME -q", "\n", "", UP),
    _e("container/ls/", "%container ps --filter ancestor=course/busybox --filter name=NAME", "NAME", "", UP),
    _e("container/ls/", '%container ps --filter name=NAME --format "{{.Names}}: {{.Command}}"', "NAME: ", "", UP),
    _e("container/ls/", '%container ps --filter name=NAME --format "table {{.Names}}\\t{{.Image}}"', "course/busybox", "", UP),
    _e("container/ls/", "%container ps --filter name=NAME --filter network=bridge", "NAME", "", UP),
    # logs, cp, diff, top, port
    _e("container/logs/", "%container logs --tail 1 NAME", "b", "", "%container run --name NAME course/busybox sh -c 'echo a; echo b'"),
    _e("container/logs/", "%container logs -f --until=2s NAME", "docker logs", "", "%container run --name NAME course/busybox true"),
    _e("container/cp/", "%container cp NAME:/etc/hostname copied", "docker cp", "", UP),
    _e("container/cp/", "%container cp ./some_file NAME:/work", "some words", "exec NAME cat /work", UP, "import pathlib\n_ = pathlib.Path('some_file').write_text('some words')"),
    _e("container/diff/", "%container diff NAME", "/new", "", UP, "%container exec NAME touch /new"),
    _e("container/top/", "%container top NAME", "sleep 99", "", UP),
    _e("container/port/", "%container port NAME 80", "127.0.0.1:", "", "%container run -d --name NAME -p 127.0.0.1::80 course/busybox sleep 99"),
    # life
    _e("container/stop/", "%container stop --time=0 NAME", "exited", f"{INSPECT} {{{{.State.Status}}}}", UP),
    _e("container/restart/", "%container restart --time=0 NAME", "running", f"{INSPECT} {{{{.State.Status}}}}", UP),
    _e("container/kill/", "%container kill --signal=SIGKILL NAME", "exited", f"{INSPECT} {{{{.State.Status}}}}", UP),
    _e("container/wait/", "%container wait NAME", "3", "", "%container run -d --name NAME course/busybox sh -c 'exit 3'"),
    _e("container/rm/", "%container rm --force NAME", "removed", "", UP),
    _e("container/pause/", "%container pause NAME", "paused", f"{INSPECT} {{{{.State.Status}}}}", UP),
    _e("container/rename/", "%container rename NAME NAME-new", "NAME-new", "inspect NAME-new -f {{.Name}}", UP),
    _e("container/update/", "%container update --cpu-shares 512 -m 300M --memory-swap -1 NAME", "512", f"{INSPECT} {{{{.HostConfig.CpuShares}}}}", UP),
    _e("container/update/", "%container update --restart=on-failure:3 NAME", "on-failure", f"{INSPECT} {{{{.HostConfig.RestartPolicy.Name}}}}", UP),
    _e("container/stats/", "%container stats --no-stream NAME", "NAME", "", UP),
    # inspect templates
    _e("inspect/", "%container inspect --format='{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}' NAME", ":", "", UP),
    _e("inspect/", "%container inspect --format='{{.Config.Image}}' NAME", "course/busybox", "", UP),
    _e("inspect/", "%container inspect --format='{{json .Config}}' NAME", '"Image":"', "", UP),
    _e("inspect/", "%container inspect --format='{{.LogPath}}' NAME", "", "", UP),
    # images
    _e("image/tag/", "%container tag course/busybox NAME:version1.0", "version1.0", "images NAME --format {{.Tag}}"),
    _e("image/ls/", "%container images course/busybox", "course/busybox"),
    _e("image/ls/", '%container images --format "{{.ID}}: {{.Repository}}" course/busybox', ": course/busybox"),
    _e("image/rm/", "%container rmi NAME:one", "NAME:one", "", "%container tag course/busybox NAME:one"),
    _e("image/history/", "%container history course/busybox", "CMD"),
    _e("image/build/", "%%dockerfile -t NAME\nFROM course/busybox\nRUN echo hello > /greeting\n", "hello", "run --rm NAME cat /greeting"),
    _e("image/build/", "%%dockerfile -t NAME --build-arg WHO=me\nFROM course/busybox\nARG WHO\nRUN echo $WHO > /who\n", "me", "run --rm NAME cat /who"),
    _e("container/commit/", '%container commit --change "ENV DEBUG=true" NAME NAME:testimage', "DEBUG=true", "inspect -f {{.Config.Env}} NAME:testimage", UP),
    _e("container/export/", "%container export --output=latest.tar NAME", "latest.tar", "", UP),
    _e("image/save/", "%container save -o busybox.tar course/busybox", "busybox.tar"),
    _e("image/load/", "%container load --input busybox.tar", "course/busybox", "", "%container save -o busybox.tar course/busybox"),
    # networks, volumes, system
    _e("network/create/", "%container network create -d bridge NAME", "bridge", "network inspect NAME -f {{.Driver}}"),
    _e("network/ls/", "%container network ls --filter driver=bridge", "bridge"),
    _e("network/connect/", "%container network connect NAME NAME", "NAME", "network inspect NAME", UP, "%container network create NAME"),
    _e("network/rm/", "%container network rm NAME", "NAME", "", "%container network create NAME"),
    _e("volume/create/", "%container volume create NAME", "local", "volume inspect NAME -f {{.Driver}}"),
    _e("volume/ls/", "%container volume ls --filter name=NAME", "NAME", "", "%container volume create NAME"),
    _e("volume/rm/", "%container volume rm NAME", "NAME", "", "%container volume create NAME"),
    _e("container/run/", "%container run --rm -v NAME:/world course/busybox sh -c 'echo x > /world/x && ls /world'", "x", "", "%container volume create NAME"),
    _e("system/df/", "%container system df", "Images"),
    _e("system/events/", "%container events --since 1m --until 0s --filter container=NAME", "start", "", UP),
    _e("version/", "%container version", "engine"),
    _e("system/info/", "%container info", "containers"),
    # compose
    _c("up", "%compose up -d", "running", f"{WEB} {{{{.State.Status}}}}", "%compose stop"),
    _c("ps", "%compose ps", "running"),
    _c("ps", "%compose ps --services", "web"),
    _c("ps", "%compose ps --format json", '"Service":"web"'),
    _c("ps", "%compose ps --status=running", "web"),
    _c("logs", "%compose logs --tail 1 web", "hello"),
    _c("exec", "%compose exec web ls /data/..", "data"),
    _c("run", "%compose run --rm web echo once", "once"),
    _c("run", "%compose run --no-deps --rm web id -u", "0"),
    _c("run", "%compose run -d --name NAME-run web sleep 99", "running", "inspect NAME-run -f {{.State.Status}}"),
    _c("stop", "%compose stop", "exited", f"{WEB} {{{{.State.Status}}}}"),
    _c("start", "%compose start web", "running", f"{WEB} {{{{.State.Status}}}}", "%compose stop"),
    _c("restart", "%compose restart web", "running", f"{WEB} {{{{.State.Status}}}}"),
    _c("pause", "%compose pause", "paused", f"{WEB} {{{{.State.Status}}}}"),
    _c("top", "%compose top", "sleep 99"),
    _c("images", "%compose images", "course/busybox"),
    _c("config", "%compose config --services", "web"),
    _c("config", "%compose config --format json", '"stop_grace_period"'),
    _c("port", "%compose port web 80", "127.0.0.1:"),
    _c("scale", "%compose scale web=2", "running", "inspect NAME-web-2 -f {{.State.Status}}", "%compose kill", "%compose rm -f"),
    _c("kill", "%compose kill -s SIGKILL", "exited", f"{WEB} {{{{.State.Status}}}}"),
    _c("rm", "%compose rm -f", "NAME_data", "volume ls --filter name=NAME", "%compose stop"),
    _c("cp", "%compose cp web:/etc/hostname copied", "to copied"),
    _c("ls", "%compose ls", "NAME"),
    _c("down", "%compose down", "NAME_data", "volume ls --filter name=NAME"),
    _c("down", "%compose down -v", "NAME_data"),
)  # fmt: skip
