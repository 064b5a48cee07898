"""The flags of `docker run`, `create` and `exec`, as data.

Names and wording follow the docker CLI's own help; what each does is in its documentation
(https://docs.docker.com/reference/cli/docker/container/run/).
"""

from __future__ import annotations

from course_magics.magics.grammar import Flag

ENVIRONMENT = (
    Flag("-e --env", "set an environment variable", "list", "NAME=VALUE"),
    Flag("--env-file", "read environment variables from a file", "list", "FILE"),
)
PROGRAM = (
    Flag("-i --interactive", "keep standard input open; in a %% cell it is the cell"),
    Flag("-t --tty", "allocate a pseudo terminal"),
    Flag("-u --user", "user name or id, and group", "text", "USER[:GROUP]"),
    Flag("-w --workdir", "working directory in the container", "text", "DIR"),
    Flag("--privileged", "give extended privileges"),
)
DETACH = Flag("-d --detach", "run in the background")
DETACH_KEYS = Flag("--detach-keys", "of no effect: nobody types keys into a cell", "text", "KEYS")
TRUST = Flag(
    "--disable-content-trust",
    "always so: signatures are not checked here",
    default=True,
    values=("true",),
)

CREATE = (
    *ENVIRONMENT,
    *PROGRAM,
    Flag(
        "-a --attach",
        "the streams that the cell has: stdin, stdout, stderr (not with -d)",
        "list",
        "STREAM",
    ),
    Flag("--name", "name of the container", "text", "NAME"),
    Flag("--cidfile", "write the container's id to this file", "text", "FILE"),
    Flag("--rm", "remove the container when it ends"),
    Flag("-p --publish", "publish a port on this computer", "list", "[IP:][HOST:]CONTAINER[/udp]"),
    Flag("-P --publish-all", "publish all exposed ports on free ports"),
    Flag("--expose", "expose a port to other containers", "list", "PORT"),
    Flag(
        "-v --volume",
        "mount a folder of this computer (~, $PWD, ./ work) or a volume",
        "list",
        "SOURCE:/PATH[:ro]",
    ),
    Flag("--volumes-from", "mount the volumes of a container", "list", "CONTAINER"),
    Flag("--mount", "mount a folder, volume or tmpfs", "list", "type=…,source=…,target=…"),
    Flag("--tmpfs", "mount a file system in memory", "list", "/PATH[:OPTIONS]"),
    Flag("--entrypoint", "replace the image's entry point", "text", "PROGRAM"),
    Flag("-h --hostname", "host name in the container", "text", "NAME"),
    Flag("--domainname", "domain name in the container", "text", "NAME"),
    Flag(
        "--net --network",
        "connect to a network: its name, or name=…,alias=…,ip=…",
        "list",
        "NETWORK",
        offers="network",
    ),
    Flag("--net-alias --network-alias", "another name on that network", "list", "NAME"),
    Flag("--ip", "IPv4 address on that network", "text", "ADDRESS"),
    Flag("--link-local-ip", "link-local address on that network", "list", "ADDRESS"),
    Flag("--mac-address", "MAC address on that network", "text", "ADDRESS"),
    Flag("--add-host", "add a line to /etc/hosts", "list", "NAME:IP"),
    Flag("--ip6", "IPv6 address on that network", "text", "ADDRESS"),
    Flag("--dns", "name server", "list", "ADDRESS"),
    Flag("--dns-search", "domain that is searched for short names", "list", "DOMAIN"),
    Flag("--dns-opt --dns-option", "option of the name resolver", "list", "OPTION"),
    Flag("--link", "link to another container (legacy)", "list", "CONTAINER[:ALIAS]"),
    Flag("-m --memory", "most memory it may use", "bytes", "SIZE"),
    Flag("--memory-reservation", "memory it should get along with", "bytes", "SIZE"),
    Flag("--memory-swap", "memory and swap together; -1 for no limit", "text", "SIZE"),
    Flag("--cpus", "most CPUs it may use", "number", "0.5"),
    Flag("-c --cpu-shares", "its weight against others (1024 is usual)", "integer", "SHARES"),
    Flag("--cpuset-cpus", "the CPUs it may run on", "text", "0,1"),
    Flag("--cpuset-mems", "the memory nodes it may use", "text", "0,1"),
    Flag("--cpu-period", "length of the scheduler's period", "integer", "MICROSECONDS"),
    Flag("--cpu-quota", "CPU time it may use in a period", "integer", "MICROSECONDS"),
    Flag("--cpu-rt-period", "period of the real-time scheduler", "integer", "MICROSECONDS"),
    Flag("--cpu-rt-runtime", "real-time CPU in such a period", "integer", "MICROSECONDS"),
    Flag("--kernel-memory", "most kernel memory (deprecated by docker)", "bytes", "SIZE"),
    Flag("--blkio-weight", "its weight for disk access, 10 to 1000", "integer", "WEIGHT"),
    Flag("--blkio-weight-device", "its weight for one disk", "list", "/dev/X:WEIGHT"),
    Flag("--device-read-bps", "most bytes read from a disk in a second", "list", "/dev/X:SIZE"),
    Flag("--device-write-bps", "most bytes written to a disk in a second", "list", "/dev/X:SIZE"),
    Flag("--device-read-iops", "most reads from a disk in a second", "list", "/dev/X:NUMBER"),
    Flag("--device-write-iops", "most writes to a disk in a second", "list", "/dev/X:NUMBER"),
    Flag("--memory-swappiness", "how readily it is swapped out, 0 to 100", "integer", "NUMBER"),
    Flag("--oom-kill-disable", "do not kill it for want of memory"),
    Flag("--oom-score-adj", "how readily it is killed for memory", "integer", "-1000…1000"),
    Flag("--cgroupns", "cgroup namespace", "text", "MODE", None, ("host", "private")),
    Flag("--cgroup-parent", "cgroup above its own", "text", "PATH"),
    Flag("--device-cgroup-rule", "rule for devices", "list", "RULE"),
    Flag("--storage-opt", "option of the storage driver", "list", "NAME=VALUE"),
    Flag("--volume-driver", "driver of its volumes", "text", "NAME"),
    Flag("--pids-limit", "most processes it may have; -1 for no limit", "integer", "NUMBER"),
    Flag("--shm-size", "size of /dev/shm", "bytes", "SIZE"),
    Flag("--ulimit", "resource limit", "list", "NAME=SOFT[:HARD]"),
    Flag("--sysctl", "kernel setting of its namespaces", "list", "NAME=VALUE"),
    Flag("--device", "add a device of the host", "list", "/dev/X[:/dev/Y[:rwm]]"),
    Flag("--gpus", "GPUs: all, a number, or device=…", "text", "GPUS"),
    Flag("--read-only", "mount its root file system read-only"),
    Flag("--cap-add", "add a Linux capability", "list", "CAPABILITY"),
    Flag("--cap-drop", "take a Linux capability away", "list", "CAPABILITY"),
    Flag("--security-opt", "security option", "list", "OPTION"),
    Flag("--group-add", "additional group", "list", "GROUP"),
    Flag("--init", "run an init that forwards signals and reaps processes"),
    Flag("--pid", "PID namespace: host or container:NAME", "text", "MODE"),
    Flag("--ipc", "IPC namespace", "text", "MODE"),
    Flag("--uts", "UTS namespace", "text", "MODE"),
    Flag("--userns", "user namespace", "text", "MODE"),
    Flag(
        "--restart",
        "when to restart it: no, always, unless-stopped, on-failure[:TIMES]",
        "text",
        "POLICY",
    ),
    Flag("--stop-signal", "signal that asks it to end", "text", "SIGNAL"),
    Flag("--stop-timeout", "seconds before it is killed", "integer", "SECONDS"),
    Flag("-l --label", "label", "list", "NAME=VALUE"),
    Flag("--label-file", "read labels from a file", "list", "FILE"),
    Flag("--annotation", "note for the runtime (Docker 24)", "list", "NAME=VALUE"),
    Flag("--log-driver", "where its log goes", "text", "DRIVER"),
    Flag("--log-opt", "option of the log driver", "list", "NAME=VALUE"),
    Flag("--health-cmd", "command that checks its health", "text", "COMMAND"),
    Flag("--health-interval", "time between checks", "seconds", "30s"),
    Flag("--health-timeout", "how long a check may take", "seconds", "30s"),
    Flag("--health-start-period", "time to get ready", "seconds", "10s"),
    Flag(
        "--health-start-interval",
        "time between checks while it gets ready (Docker 25)",
        "seconds",
        "5s",
    ),
    Flag("--health-retries", "failures until it counts as unhealthy", "integer", "3"),
    Flag("--no-healthcheck", "leave out the image's health check"),
    Flag("--platform", "platform of the image", "text", "OS/ARCH"),
    Flag(
        "--pull",
        "fetch the image first",
        "text",
        "WHEN",
        "missing",
        ("always", "missing", "never"),
    ),
    Flag("--runtime", "runtime that starts it", "text", "NAME"),
    Flag("--isolation", "how it is isolated (Windows)", "text", "KIND"),
    Flag("--cpu-count", "number of CPUs (Windows)", "integer", "NUMBER"),
    Flag("--cpu-percent", "share of the CPUs (Windows)", "integer", "PERCENT"),
    Flag("--io-maxbandwidth", "most bytes a second on its disk (Windows)", "bytes", "SIZE"),
    Flag("--io-maxiops", "most operations a second on its disk (Windows)", "integer", "NUMBER"),
    TRUST,
    Flag("-q --quiet", "say nothing when the image is fetched"),
)
RUN = (
    DETACH,
    *CREATE,
    Flag(
        "--sig-proxy",
        "■ ends the program too; =false: it goes on without the cell",
        default=True,
    ),
    DETACH_KEYS,
)
EXEC = (DETACH, *ENVIRONMENT, *PROGRAM, DETACH_KEYS)

#: Flags that many words share.
FILTER = Flag("-f --filter", "only those that match", "list", "NAME=VALUE")
FORMAT = Flag("--format", "a Go template, `table TEMPLATE` or json", "text", "TEMPLATE")
FORCE = Flag("-f --force", "remove them; without it, only say what would go")
