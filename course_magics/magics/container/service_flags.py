"""The flags of `docker service create` and `docker service update`, as data.

What each does is in docker's documentation
(https://docs.docker.com/reference/cli/docker/service/create/).
"""

from __future__ import annotations

from course_magics.magics.grammar import Flag

DETACH = Flag("-d --detach", "do not wait until the tasks run")


def _changing(flag: str, what: str) -> tuple[Flag, ...]:
    actions = ("pause", "continue", "rollback") if flag == "update" else ("pause", "continue")
    orders = ("start-first", "stop-first")
    return (
        Flag(f"--{flag}-parallelism", f"tasks at once during {what}; 0: all", "integer", "1"),
        Flag(f"--{flag}-delay", "time between them", "seconds", "10s"),
        Flag(f"--{flag}-monitor", "how long a task must run to count", "seconds", "5s"),
        Flag(f"--{flag}-failure-action", "when it fails", "text", "ACTION", values=actions),
        Flag(f"--{flag}-max-failure-ratio", "failures that are borne, 0 to 1", "number", "0.2"),
        Flag(f"--{flag}-order", "which of old and new goes first", "text", "ORDER", values=orders),
    )


_BOTH = (
    DETACH,
    Flag("-q --quiet", "no progress on the way"),
    Flag("--with-registry-auth", "give the nodes your login for the image's registry"),
    Flag("--no-resolve-image", "leave the image's name as it is (always so here)"),
    Flag("--replicas", "how many tasks", "integer", "NUMBER"),
    Flag("--replicas-max-per-node", "most tasks on one node", "integer", "NUMBER"),
    Flag("--endpoint-mode", "one address, or each task's", "text", "MODE", values=("vip", "dnsrr")),
    Flag("--hostname", "host name in the containers", "text", "NAME"),
    Flag("-u --user", "user name or id, and group", "text", "USER[:GROUP]"),
    Flag("-w --workdir", "working directory in the containers", "text", "DIR"),
    Flag("--entrypoint", "replace the image's entry point", "text", "COMMAND"),
    Flag("-t --tty", "allocate a pseudo terminal"),
    Flag("--init", "run an init that forwards signals and reaps processes"),
    Flag("--isolation", "isolation of Windows containers", "text", "KIND"),
    Flag("--read-only", "mount the root file system read-only"),
    Flag("--stop-signal", "signal that asks a task to end", "text", "SIGNAL"),
    Flag("--stop-grace-period", "time before a task is killed", "seconds", "10s"),
    Flag("--limit-cpu", "most CPUs a task may use", "number", "0.5"),
    Flag("--limit-memory", "most memory a task may use", "bytes", "SIZE"),
    Flag("--limit-pids", "most processes a task may have", "integer", "NUMBER"),
    Flag("--reserve-cpu", "CPUs that a node must have free for it", "number", "0.5"),
    Flag("--reserve-memory", "memory that a node must have free for it", "bytes", "SIZE"),
    Flag(
        "--restart-condition",
        "when a task is replaced",
        "text",
        "WHEN",
        values=("none", "on-failure", "any"),
    ),
    Flag("--restart-delay", "time before it is", "seconds", "5s"),
    Flag("--restart-max-attempts", "how often", "integer", "NUMBER"),
    Flag("--restart-window", "within this time", "seconds", "1m"),
    *_changing("update", "an update"),
    *_changing("rollback", "a rollback"),
    Flag("--health-cmd", "command that checks a task's health", "text", "COMMAND"),
    Flag("--health-interval", "time between checks", "seconds", "30s"),
    Flag("--health-timeout", "how long a check may take", "seconds", "30s"),
    Flag("--health-start-period", "time to get ready", "seconds", "10s"),
    Flag("--health-retries", "failures until it counts as unhealthy", "integer", "3"),
    Flag("--no-healthcheck", "leave out the image's health check"),
    Flag("--log-driver", "where the logs go", "text", "DRIVER"),
    Flag("--log-opt", "option of the log driver", "list", "NAME=VALUE"),
    Flag("--cap-add", "add a Linux capability", "list", "CAPABILITY"),
    Flag("--cap-drop", "take a Linux capability away", "list", "CAPABILITY"),
)

#: Name, what it is, the placeholder. `create` has --NAME; `update` has --NAME-add and --NAME-rm.
_LISTS = (
    ("env", "environment variable", "NAME=VALUE", "NAME"),
    ("label", "label of the service", "NAME=VALUE", "NAME"),
    ("container-label", "label of the containers", "NAME=VALUE", "NAME"),
    ("constraint", "which nodes it may run on", "node.role==worker", "CONSTRAINT"),
    ("placement-pref", "what to spread the tasks over", "spread=node.labels.X", "spread=X"),
    ("mount", "folder, volume or tmpfs", "type=…,source=…,target=…", "TARGET"),
    ("secret", "secret that the tasks read", "SECRET", "SECRET"),
    ("config", "config that the tasks read", "CONFIG", "CONFIG"),
    ("network", "network of the tasks", "NETWORK", "NETWORK"),
    ("publish", "published port", "target=80,published=8080,mode=host", "TARGET-PORT"),
    ("group", "additional group", "GROUP", "GROUP"),
    ("host", "line in /etc/hosts", "NAME:IP", "NAME:IP"),
    ("dns", "name server", "ADDRESS", "ADDRESS"),
    ("dns-search", "domain that is searched for short names", "DOMAIN", "DOMAIN"),
    ("dns-option", "option of the name resolver", "OPTION", "OPTION"),
    ("sysctl", "kernel setting", "NAME=VALUE", "NAME"),
    ("ulimit", "resource limit", "NAME=SOFT[:HARD]", "NAME"),
)
_SHORT = {"env": "-e --env", "label": "-l --label", "publish": "-p --publish"}
_MODES = ("replicated", "global", "replicated-job", "global-job")


def _list(names: str, name: str, help: str, value: str) -> Flag:
    offers = name if name in ("network", "secret", "config") else ""
    return Flag(names, help, "list", value, offers=offers)


CREATE = (
    Flag("--name", "name of the service", "text", "NAME"),
    Flag("--mode", "so many tasks, or one on each node", "text", "MODE", None, _MODES),
    Flag("--max-concurrent", "of a job: tasks at once", "integer", "NUMBER"),
    Flag("--env-file", "read environment variables from a file", "list", "FILE"),
    *(_list(_SHORT.get(n, f"--{n}"), n, help, value) for n, help, value, _ in _LISTS),
    *_BOTH,
)
UPDATE = (
    Flag("--image", "the new image", "text", "IMAGE", offers="image"),
    Flag("--args", "the new arguments", "text", "COMMAND"),
    Flag("--force", "replace all tasks even if nothing has changed"),
    Flag("--rollback", "back to what it was before its last change"),
    *(_list(f"--{n}-add", n, f"add or change: {help}", value) for n, help, value, _ in _LISTS),
    *(_list(f"--{n}-rm", n, f"take away: {help}", value) for n, help, _, value in _LISTS),
    *_BOTH,
)
