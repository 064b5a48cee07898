"""Completion in the body of `%%vagrantfile`: the settings that matter, and some of their values.

What each means: https://developer.hashicorp.com/vagrant/docs/vagrantfile.
"""

from __future__ import annotations

import re

from course_magics.magics.complete.sources import Asked, begun, boxes
from course_magics.magics.complete.spot import Found, Offer, Spot, plain
from course_magics.magics.complete.values import BY_FLAG
from course_magics.magics.grammar import Word

_VM = {
    "box": "the box that the machine is made from",
    "box_version": "version of the box",
    "box_url": "where the box is fetched from",
    "box_check_update": "look for a newer box at each start",
    "hostname": "host name in the machine",
    "network": "a forwarded port, a private or a public network",
    "synced_folder": "a folder of this computer that the machine sees",
    "provision": "what to do at the first start: a script, files, ansible…",
    "provider": "settings of one provider: memory, CPUs",
    "define": "one of several machines, under its name",
    "boot_timeout": "seconds that the start may take",
    "communicator": "ssh or winrm",
    "disk": "another disk, or a larger one",
    "graceful_halt_timeout": "seconds until it is switched off",
    "guest": "the system in it, where vagrant does not see it",
    "post_up_message": "text that `up` ends with",
    "usable_port_range": "ports to take where one is in use",
}
_SSH = {
    "username": "user to log in as",
    "password": "password, where there is no key",
    "private_key_path": "key to log in with",
    "insert_key": "replace the well-known key by one of its own",
    "forward_agent": "lend the machine your ssh agent",
    "forward_x11": "windows of the machine on your screen",
    "shell": "shell that runs commands",
    "host": "address",
    "port": "port",
}
_PARTS = {
    "vm": "the machine",
    "ssh": "how to log in",
    "vagrant": "vagrant itself",
    "winrm": "how to log in to Windows",
}
_PROVIDER = {
    "memory": "memory in MiB",
    "cpus": "number of CPUs",
    "name": "name that the provider shows",
    "gui": "show its screen in a window",
    "linked_clone": "share the box's disk",
    "customize": "a command for the provider",
}
_NETWORKS = (
    ("forwarded_port", "a port of this computer leads into the machine: guest: 80, host: 8080"),
    ("private_network", "a network of the machines: ip: or type: dhcp"),
    ("public_network", "the network that this computer is in"),
)
_PROVISIONERS = (
    ("shell", "a script: inline: or path:"),
    ("file", "a file: source:, destination:"),
    ("ansible", "an Ansible playbook, from this computer"),
    ("ansible_local", "an Ansible playbook, in the machine"),
    ("docker", "docker, its images and containers"),
    ("puppet", "Puppet"),
    ("chef_solo", "Chef"),
    ("salt", "Salt"),
)
_OPTIONS = {
    "network": {
        "guest": "port in the machine",
        "host": "port on this computer",
        "ip": "its address",
        "type": "dhcp",
        "auto_correct": "take another port where it is in use",
        "protocol": "tcp or udp",
        "host_ip": "address on this computer",
    },
    "provision": {
        "inline": "the script itself",
        "path": "file of the script",
        "privileged": "as root (yes)",
        "run": "always, once or never",
        "args": "arguments",
        "env": "environment variables",
        "source": "the file",
        "destination": "where it goes",
    },
    "synced_folder": {
        "type": "rsync, nfs, virtualbox, smb…",
        "disabled": "do not share it",
        "owner": "user in the machine",
        "group": "group in the machine",
        "create": "make it where it is missing",
    },
    "define": {"primary": "words without a name are about it", "autostart": "part of `up`"},
}
_VALUE = (
    (re.compile(r"\.vm\.box\s*=\s*[\"']([^\"']*)$"), "box"),
    (re.compile(r"\.vm\.network[\s(]+[\"':]?(\w*)$"), "network"),
    (
        re.compile(r"\.vm\.provision[\s(]+(?:[\"'][^\"']*[\"'],\s*type:\s*)?[\"':](\w*)$"),
        "provision",
    ),
    (re.compile(r"\.vm\.provider[\s(]+[\"':](\w*)$"), "provider"),
)
_OPTION = re.compile(r"\.vm\.(network|provision|synced_folder|define)\b.*,\s*(\w*)$")
_SETTING = re.compile(r"(\w+)\.(?:(vm|ssh)\.)?(\w*)$")


def complete(spot: Spot) -> Found | None:
    """What may stand at the cursor in the Vagrantfile below `%%vagrantfile`."""
    text = spot.typed
    if text.lstrip().startswith("#"):
        return None
    for pattern, kind in _VALUE:
        if match := pattern.search(text):
            return Found(match[1], _value(kind, match[1]))
    if match := _OPTION.search(text):
        options = ((f"{name}:", what) for name, what in _OPTIONS[match[1]].items())
        return Found(match[2], begun(options, match[2]))
    if match := _SETTING.search(text):
        variable, part, typed = match.groups()
        known = {"vm": _VM, "ssh": _SSH}.get(part) if part else _of(variable, spot)
        return Found(typed, begun((known or {}).items(), typed))
    return Found("", [])


def _value(kind: str, text: str) -> list[Offer]:
    if kind == "box":
        return [o for o in plain(boxes(Asked(text, Word("", "")))) if o.text.startswith(text)]
    known = {
        "network": _NETWORKS,
        "provision": _PROVISIONERS,
        "provider": BY_FLAG["--provider"],
    }
    return begun(known[kind], text)


def _of(variable: str, spot: Spot) -> dict[str, str]:
    """The settings of a block's variable: the provider's, or a machine's own `config`."""
    for line in reversed(spot.above):
        if re.search(rf"\|\s*{variable}\s*[,|]", line):
            return _PROVIDER if ".provider" in line else _PARTS
    return _PARTS if variable == "config" else {}
