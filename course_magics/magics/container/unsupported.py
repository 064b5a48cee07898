"""What docker's client has and `%container` has not, each with the reason: data for the table.

The table is docs/reference/docker-cli.md (`magics/docker_cli.py`). A test fails for a word or flag
of docker's that is neither here nor supported, and for one that is here though it is supported.
"""

from __future__ import annotations

_BUILDERS = "several builders are a matter for a terminal: !docker buildx …"
_TRUST = "signing with Notary needs keys, passwords and a Notary server; docker has given it up"
_PLUGIN = "plugins change the engine itself, for everybody who uses it"
_CHECKPOINT = "needs CRIU and an engine with experimental features on"
_ENGINE = "which engine is used, and how, is said once: %engine use"

#: Whole groups: their words are not listed one by one.
GROUPS = {
    "checkpoint": _CHECKPOINT,
    "compose": "a magic of its own: %compose and %%compose",
    "manifest": "images for several platforms need several builders and a registry",
    "plugin": _PLUGIN,
    "trust": _TRUST,
}

_BUILDX = (
    *("bake", "create", "dial-stdio", "du", "imagetools", "inspect", "ls", "prune", "rm", "stop"),
    *("use", "version"),
)
WORDS = {f"{group} {word}": _BUILDERS for group in ("builder", "buildx") for word in _BUILDX}

_DRIVER = "needs a plugin, or makes another file of each: a matter for a real cluster"
_OWN_CA = "a certificate authority of one's own is a matter for a real cluster"
_GENERIC = "needs engines that announce resources (GPUs) in their settings"
_SERVICE = {
    "--credential-spec": "for Windows containers only",
    "--generic-resource": _GENERIC,
    "--health-start-interval": "engines know it from 25 on",
}

#: Word (the empty one: before any word) → flag → reason.
FLAGS: dict[str, dict[str, str]] = {
    **{
        f"{noun} inspect": {"--pretty": "%container inspect shows data; ls and ps are for reading"}
        for noun in ("config", "node", "secret", "service")
    },
    "config create": {"--template-driver": _DRIVER},
    "secret create": {"--template-driver": _DRIVER, "--driver": _DRIVER},
    "service create": _SERVICE,
    "service update": {
        **{k: v for k, v in _SERVICE.items() if k != "--generic-resource"},
        "--generic-resource-add": _GENERIC,
        "--generic-resource-rm": _GENERIC,
        "--max-concurrent": "a job is made anew: service rm, service create",
    },
    "service logs": dict.fromkeys(
        ("--details", "--no-resolve", "--no-task-ids", "--no-trunc"),
        "lines begin with the task's name and node, never with ids; --raw leaves them out",
    ),
    "swarm ca": {
        **dict.fromkeys(("--ca-cert", "--ca-key", "--cert-expiry", "--external-ca"), _OWN_CA),
        **dict.fromkeys(("--detach", "--quiet"), "it never waits for the nodes"),
    },
    "swarm init": {"--external-ca": _OWN_CA},
    "swarm update": {"--external-ca": _OWN_CA},
    "": {
        "--config": "docker's own settings are read where DOCKER_CONFIG says",
        "--context": _ENGINE,
        "--debug": "the engine's words are shown anyway",
        "--host": _ENGINE,
        "--log-level": "the engine's words are shown anyway",
        "--tls": _ENGINE,
        "--tlscacert": _ENGINE,
        "--tlscert": _ENGINE,
        "--tlskey": _ENGINE,
        "--tlsverify": _ENGINE,
        "--version": "%container version",
    },
    "start": {"--checkpoint": _CHECKPOINT, "--checkpoint-dir": _CHECKPOINT},
}

#: Arguments that docker takes and a cell cannot, to be read beside the table.
ARGUMENTS = {
    "build": "a URL: fetch it first (!git clone URL), then build the folder",
    "cp": "`-`, a tar stream on standard input or output: name a file or a folder",
    "export": "standard output: name a file with -o",
    "import": "`-`: name a file or a URL",
    "load": "standard input: name a file with -i",
    "save": "standard output: name a file with -o",
}
