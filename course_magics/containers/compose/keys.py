"""The keys that a compose file may have, by place; for "did you mean" and for completion.

After the Compose Specification (https://github.com/compose-spec/compose-spec, schema).
"""

from __future__ import annotations

import re

_TOP = "name version services networks volumes configs secrets include"
_SERVICE = (
    "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs "
    "container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime "
    "cpu_shares cpus cpuset credential_spec depends_on deploy develop device_cgroup_rules devices "
    "dns dns_opt dns_search domainname entrypoint env_file environment expose extends "
    "external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation "
    "labels label_file links logging mac_address mem_limit mem_reservation mem_swappiness "
    "memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit "
    "platform ports post_start pre_stop privileged profiles provider pull_policy read_only "
    "restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal "
    "storage_opt sysctls tmpfs tty ulimits user userns_mode uts volumes volumes_from working_dir"
)
#: A path, with * for a name → the keys that may stand there.
_KEYS = {
    "": _TOP,
    "services.*": _SERVICE,
    "services.*.build": "additional_contexts args cache_from cache_to context dockerfile "
    "dockerfile_inline entitlements extra_hosts isolation labels network no_cache platforms "
    "privileged pull secrets shm_size ssh tags target ulimits",
    "services.*.healthcheck": "disable interval retries start_interval start_period test timeout",
    "services.*.logging": "driver options",
    "services.*.deploy": "endpoint_mode labels mode placement replicas resources restart_policy "
    "rollback_config update_config",
    "services.*.deploy.resources": "limits reservations",
    "services.*.deploy.resources.limits": "cpus memory pids",
    "services.*.deploy.resources.reservations": "cpus devices generic_resources memory",
    "services.*.deploy.restart_policy": "condition delay max_attempts window",
    "services.*.deploy.placement": "constraints max_replicas_per_node preferences",
    "services.*.deploy.update_config": "delay failure_action max_failure_ratio monitor order "
    "parallelism",
    "services.*.deploy.rollback_config": "delay failure_action max_failure_ratio monitor order "
    "parallelism",
    "services.*.develop": "watch",
    "services.*.develop.watch.*": "action exec ignore include initial_sync path target",
    "services.*.depends_on.*": "condition required restart",
    "services.*.extends": "file service",
    "services.*.networks.*": "aliases driver_opts gw_priority interface_name ipv4_address "
    "ipv6_address link_local_ips mac_address priority",
    "services.*.ports.*": "app_protocol host_ip mode name protocol published target",
    "services.*.volumes.*": "bind consistency image read_only source target tmpfs type volume",
    "services.*.configs.*": "gid mode source target uid",
    "services.*.secrets.*": "gid mode source target uid",
    "networks.*": "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam "
    "labels name",
    "networks.*.ipam": "config driver options",
    "networks.*.ipam.config.*": "aux_addresses gateway ip_range subnet",
    "volumes.*": "driver driver_opts external labels name",
    "configs.*": "content driver driver_opts environment external file labels name template_driver",
    "secrets.*": "driver driver_opts environment external file labels name template_driver",
}


def allowed(path: str) -> list[str]:
    """The keys that may stand below `path` ("services.web"); [] where any name may, or unknown."""
    for pattern, keys in _KEYS.items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]+"), path):
            return keys.split()
    return []
