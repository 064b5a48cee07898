"""Values of flags that no engine has to be asked for, each with what it means."""

from __future__ import annotations

_MODES = (("host", "the computer's own"), ("container:", "another container's"))
_SIGNALS = (
    ("SIGTERM", "please end (what stop sends first)"),
    ("SIGKILL", "end at once, cannot be refused"),
    ("SIGINT", "as Ctrl-C does"),
    ("SIGHUP", "often: read the configuration again"),
    ("SIGQUIT", "end, with a core dump"),
    ("SIGUSR1", "whatever the program makes of it"),
    ("SIGUSR2", "whatever the program makes of it"),
    ("SIGSTOP", "halt"),
    ("SIGCONT", "go on"),
)
_PROVIDERS = (
    ("qemu", "the bundled one: no root, no KVM needed"),
    ("virtualbox", "VirtualBox"),
    ("libvirt", "KVM through libvirt"),
    ("vmware_desktop", "VMware"),
    ("hyperv", "Windows' Hyper-V"),
    ("parallels", "Parallels on a Mac"),
    ("docker", "containers, no machines"),
)
PLATFORMS = (
    ("linux/amd64", "64-bit Intel and AMD"),
    ("linux/arm64", "64-bit ARM: Apple silicon, Raspberry Pi"),
    ("linux/arm/v7", "32-bit ARM"),
    ("linux/386", "32-bit Intel and AMD"),
    ("linux/riscv64", "64-bit RISC-V"),
    ("linux/s390x", "IBM Z"),
    ("linux/ppc64le", "IBM POWER"),
)
SIGNALS = _SIGNALS
_CAPABILITIES = (
    ("ALL", "every one"),
    ("CHOWN", "change the owner of files"),
    ("DAC_OVERRIDE", "pass over file permissions"),
    ("FOWNER", "act as the owner of any file"),
    ("KILL", "send signals to any process"),
    ("MKNOD", "make device files"),
    ("NET_ADMIN", "set up network devices and routes"),
    ("NET_BIND_SERVICE", "listen on ports below 1024"),
    ("NET_RAW", "raw sockets: ping"),
    ("SETGID", "change its group"),
    ("SETUID", "change its user"),
    ("SYS_ADMIN", "mount, and much else"),
    ("SYS_CHROOT", "use chroot"),
    ("SYS_MODULE", "load kernel modules"),
    ("SYS_NICE", "raise priorities"),
    ("SYS_PTRACE", "debug other processes"),
    ("SYS_TIME", "set the clock"),
)
NETWORK_MODES = (
    ("bridge", "docker's own network (the default)"),
    ("host", "the computer's own network"),
    ("none", "no network but loopback"),
    ("container:", "another container's network"),
)
RESTART = (
    ("no", "never (the default)"),
    ("always", "whenever it ends"),
    ("unless-stopped", "whenever it ends, unless somebody stopped it"),
    ("on-failure", "when its status is not 0"),
    ("on-failure:5", "when its status is not 0, five times at most"),
)

#: By the flag's long name.
BY_FLAG: dict[str, tuple[tuple[str, str], ...]] = {
    "--signal": _SIGNALS,
    "--stop-signal": _SIGNALS,
    "--platform": PLATFORMS,
    "--cap-add": _CAPABILITIES,
    "--cap-drop": _CAPABILITIES,
    "--restart": RESTART,
    "--provider": _PROVIDERS,
    "--pid": _MODES,
    "--ipc": (
        *_MODES,
        ("private", "its own"),
        ("shareable", "its own, others may join"),
        ("none", "its own, without /dev/shm"),
    ),
    "--uts": _MODES[:1],
    "--userns": _MODES[:1],
    "--security-opt": (
        ("no-new-privileges", "no program in it gains rights by setuid"),
        ("seccomp=unconfined", "no filter on system calls"),
        ("apparmor=unconfined", "no AppArmor profile"),
        ("label=disable", "no SELinux label"),
    ),
    "--log-driver": (
        ("json-file", "files that `logs` reads (the default)"),
        ("local", "smaller files that `logs` reads"),
        ("journald", "systemd's journal"),
        ("syslog", "the system's log"),
        ("none", "nowhere"),
    ),
    "--ulimit": (
        ("nofile=", "open files"),
        ("nproc=", "processes of the user"),
        ("core=", "size of a core dump"),
        ("memlock=", "locked memory"),
    ),
    "--format": (
        ("json", "one JSON object a line"),
        ("'{{json .}}'", "the same as a template"),
        ("'{{.Names}}'", "one field: a Go template"),
    ),
    "--driver": (
        ("bridge", "a network on one computer (networks)"),
        ("overlay", "a network over the nodes of a swarm"),
        ("macvlan", "containers with addresses of the real network"),
        ("ipvlan", "the same with one MAC address"),
        ("local", "on this engine's disk (volumes)"),
    ),
    "--checksum-type": (
        ("sha256", "SHA-256"),
        ("sha1", "SHA-1 (weak)"),
        ("md5", "MD5 (weak)"),
    ),
}

#: `--mount` of docker run, and of RUN in a Dockerfile: the keys, and the values of some.
MOUNT = {
    "type=": "what is mounted: bind, volume, tmpfs",
    "source=": "folder or volume",
    "target=": "path in the container",
    "readonly": "nothing may be written",
    "volume-nocopy": "do not fill it from the image",
    "bind-propagation=": "how mounts below it spread",
    "tmpfs-size=": "size in bytes",
    "tmpfs-mode=": "permissions, octal",
}
MOUNT_TYPES = {
    "bind": "a folder or file of the computer",
    "volume": "a volume, kept by docker",
    "tmpfs": "memory, gone at the end",
}
BUILD_MOUNT = {
    "type=": "bind, cache, tmpfs, secret or ssh",
    "target=": "path in the step",
    "source=": "path in the stage or context",
    "from=": "stage or image to take it from",
    "id=": "name of the cache or secret",
    "sharing=": "shared, private or locked (cache)",
    "readwrite": "may be written (lost afterwards)",
    "readonly": "nothing may be written",
    "required": "fail where the secret is missing",
    "env=": "environment variable that gets the secret",
    "mode=": "permissions, octal",
    "uid=": "owner",
    "gid=": "group",
    "size=": "size (tmpfs)",
}
BUILD_MOUNT_TYPES = {
    "bind": "files of the context or of a stage (the default)",
    "cache": "a folder kept from build to build",
    "tmpfs": "memory",
    "secret": "a file that does not stay in the image",
    "ssh": "the ssh agent",
}
#: What values of filters are known: `docker ps --filter status=…`.
FILTER_VALUES = {
    "status": ("created", "running", "paused", "restarting", "removing", "exited", "dead"),
    "health": ("starting", "healthy", "unhealthy", "none"),
    "dangling": ("true", "false"),
    "is-task": ("true", "false"),
}
