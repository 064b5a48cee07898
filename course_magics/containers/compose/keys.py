"""The keys of a compose file, by where they may stand, each with what it means.

For completion and for "did you mean".

The facts follow the Compose Specification (https://github.com/compose-spec/compose-spec). A path
has `*` for a name of one's own and ends in `[]` for the members of a list.
"""

from __future__ import annotations

import re

_TEXT = """
/
  services      the containers of the application, each under its name
  networks      the networks, each under its name
  volumes       the volumes, each under its name
  configs       files that services may read
  secrets       files with passwords and keys that services may read
  name          name of the project
  include       other compose files that belong to this one
  models        language models that services use
  version       has no effect any more: leave it out
/include[]
  path          the file or files
  env_file      variables for them
  project_directory  what their paths are relative to
/services/*
  image         the image to run
  build         make the image from a Dockerfile
  command       the command, in place of the image's
  entrypoint    the program, in place of the image's
  ports         ports published on this computer: "8080:80"
  volumes       volumes and folders to mount
  environment   environment variables
  env_file      files with environment variables
  depends_on    services that start before this one
  networks      networks to connect to
  healthcheck   a command that tells whether it works
  restart       when to restart it
  deploy        replicas, limits, updates
  container_name  name of the container, in place of PROJECT-SERVICE-1
  hostname      host name in the container
  user          user name or id, and group
  working_dir   working directory in the container
  expose        ports for other services only
  profiles      start only when one of these profiles is asked for
  scale         how many containers
  configs       configs to mount
  secrets       secrets to mount under /run/secrets
  labels        labels of the container
  logging       where the log goes
  init          run an init that forwards signals and reaps processes
  tty           allocate a pseudo terminal
  stdin_open    keep standard input open
  stop_signal   signal that asks it to end
  stop_grace_period  time until it is killed
  read_only     mount the root file system read-only
  tmpfs         file systems in memory
  privileged    give extended privileges
  cap_add       add Linux capabilities
  cap_drop      take Linux capabilities away
  security_opt  security options
  extends       take over another service's settings
  extra_hosts   lines in /etc/hosts
  dns           name servers
  dns_search    domains that are searched for short names
  dns_opt       options of the name resolver
  domainname    domain name in the container
  network_mode  host, none or service:NAME, in place of networks
  links         other names for services (old)
  external_links  containers of other projects (old)
  platform      platform of the image
  pull_policy   when to fetch the image
  pull_refresh_after  how old an image may get before it is fetched again
  mem_limit     most memory it may use
  mem_reservation  memory it should get along with
  memswap_limit  memory and swap together
  mem_swappiness  how readily it is swapped out, 0 to 100
  cpus          most CPUs it may use
  cpu_shares    its weight against others
  cpu_quota     CPU time it may use in a period
  cpu_period    length of the scheduler's period
  cpu_rt_period  the same for real-time processes
  cpu_rt_runtime  real-time CPU time in a period
  cpu_count     number of CPUs (Windows)
  cpu_percent   share of the CPUs (Windows)
  cpuset        the CPUs it may run on
  pids_limit    most processes it may have
  shm_size      size of /dev/shm
  ulimits       resource limits
  sysctls       kernel settings of its namespaces
  devices       devices of the host
  device_cgroup_rules  rules for devices
  gpus          graphics processors
  group_add     additional groups
  ipc           IPC namespace
  pid           PID namespace
  uts           UTS namespace
  userns_mode   user namespace
  cgroup        cgroup namespace
  cgroup_parent  cgroup above its own
  isolation     way of isolation (Windows)
  runtime       runtime that starts it
  storage_opt   options of the storage driver
  blkio_config  limits on disk access
  oom_kill_disable  do not kill it for want of memory
  oom_score_adj  how readily it is killed for memory
  mac_address   address of its network card
  volumes_from  mount the volumes of another service
  annotations   notes for the runtime
  attach        show its log in `up`
  label_file    files with labels
  develop       what happens when files change
  post_start    commands after it has started
  pre_stop      commands before it is stopped
  credential_spec  account of the service (Windows)
  provider      another program that provides this service
  models        language models that it uses
  use_api_socket  give it the engine's socket
/services/*/build
  context       the folder that COPY and ADD read from
  dockerfile    the Dockerfile, relative to the context
  dockerfile_inline  the Dockerfile itself
  args          values of ARGs
  target        stop at this stage
  tags          more names of the image
  labels        labels of the image
  cache_from    images whose layers may be used again
  cache_to      where the layers are kept
  no_cache      build every step anew
  pull          fetch the base image even if it is here
  network       network of the RUN steps
  platforms     platforms to build for
  secrets       secrets for RUN --mount=type=secret
  ssh           ssh keys for RUN --mount=type=ssh
  additional_contexts  more folders, each under a name
  extra_hosts   lines in /etc/hosts for the RUN steps
  shm_size      size of /dev/shm in the RUN steps
  ulimits       resource limits of the RUN steps
  entitlements  extra privileges of the build
  privileged    extended privileges for the RUN steps
  isolation     way of isolation (Windows)
  provenance    note how it was built
  sbom          note what is in it
/services/*/healthcheck
  test          the command: ["CMD", "PROGRAM", "ARG"] or a line for the shell
  interval      time between checks (30s)
  timeout       how long a check may take (30s)
  retries       failures until it counts as unhealthy (3)
  start_period  time to get ready (0s)
  start_interval  time between checks until it is ready (5s)
  disable       leave out the image's health check
/services/*/depends_on/*
  condition     what to wait for
  restart       restart this one too when that one is restarted
  required      whether it is a fault when that one is missing
/services/*/deploy
  replicas      how many containers
  resources     limits and reservations
  restart_policy  when to restart
  update_config  how an update goes on
  rollback_config  how going back goes on
  placement     on which nodes
  mode          replicated or global
  endpoint_mode  vip or dnsrr
  labels        labels of the service
/services/*/deploy/resources
  limits        the most that it may use
  reservations  what is kept free for it
/services/*/deploy/resources/limits
  cpus          CPUs, such as "0.5"
  memory        memory, such as 256M
  pids          processes
/services/*/deploy/resources/reservations
  cpus          CPUs, such as "0.25"
  memory        memory, such as 64M
  devices       devices, such as graphics processors
  generic_resources  other resources
/services/*/deploy/resources/reservations/devices[]
  capabilities  what it must be able to do: [gpu]
  driver        its driver
  count         how many
  device_ids    which
  options       options of the driver
/services/*/deploy/restart_policy
  condition     none, on-failure or any
  delay         time between attempts
  max_attempts  attempts until it is given up
  window        how long a start must last to count
/services/*/deploy/update_config
  parallelism   how many at a time
  delay         time between groups
  failure_action  continue, rollback or pause
  monitor       how long to watch for failures
  max_failure_ratio  share of failures that is tolerated
  order         which comes first: the old one's end or the new one's start
/services/*/deploy/rollback_config
  parallelism   how many at a time
  delay         time between groups
  failure_action  continue or pause
  monitor       how long to watch for failures
  max_failure_ratio  share of failures that is tolerated
  order         which comes first: the old one's end or the new one's start
/services/*/deploy/placement
  constraints   what a node must be: node.role == worker
  preferences   how to spread
  max_replicas_per_node  most on one node
/services/*/deploy/placement/preferences[]
  spread        label of nodes over which to spread
/services/*/logging
  driver        where the log goes
  options       options of the driver
/services/*/networks/*
  aliases       more names on this network
  ipv4_address  IPv4 address
  ipv6_address  IPv6 address
  link_local_ips  link-local addresses
  mac_address   address of the network card
  interface_name  name of the network card
  driver_opts   options of the driver
  priority      which network is connected first
  gw_priority   which network has the default route
/services/*/ports[]
  target        port in the container
  published     port on this computer
  protocol      tcp or udp
  host_ip       address on this computer
  mode          ingress or host
  app_protocol  what is spoken: http
  name          a name for it
/services/*/volumes[]
  type          volume, bind, tmpfs or image
  source        volume or folder
  target        path in the container
  read_only     nothing may be written
  bind          options of a folder
  volume        options of a volume
  tmpfs         options of memory
  image         options of an image
  consistency   how quickly changes show (macOS)
/services/*/volumes[]/bind
  create_host_path  make the folder where it is missing
  propagation   how mounts below it spread
  recursive     mounts below it too
  selinux       z (shared) or Z (private)
/services/*/volumes[]/volume
  nocopy        do not fill it from the image
  subpath       a folder in the volume
  labels        labels
/services/*/volumes[]/tmpfs
  size          size in bytes
  mode          permissions, octal
/services/*/volumes[]/image
  subpath       a folder in the image
/services/*/configs[]
  source        name of the config
  target        path in the container
  uid           owner
  gid           group
  mode          permissions, octal
/services/*/secrets[]
  source        name of the secret
  target        file name in the container
  uid           owner
  gid           group
  mode          permissions, octal
/services/*/env_file[]
  path          the file
  required      whether it is a fault when it is missing
  format        raw: take the values as they are
/services/*/devices[]
  source        device of this computer
  target        device in the container
  permissions   r, w, m
/services/*/ulimits/*
  soft          the limit
  hard          the most to which it may be raised
/services/*/extends
  service       the service
  file          the file that it is in
/services/*/develop
  watch         what to do when files change
/services/*/develop/watch[]
  path          the folder to watch
  action        sync, rebuild, restart or sync+restart
  target        where the files go in the container
  ignore        what not to watch
  include       what to watch
  exec          a command after the files are there
  initial_sync  copy all at the start
/services/*/develop/watch[]/exec
  command       the command
  user          its user
  privileged    with extended privileges
  working_dir   its working directory
  environment   its environment variables
/services/*/post_start[]
  command       the command
  user          its user
  privileged    with extended privileges
  working_dir   its working directory
  environment   its environment variables
/services/*/pre_stop[]
  command       the command
  user          its user
  privileged    with extended privileges
  working_dir   its working directory
  environment   its environment variables
/services/*/blkio_config
  weight        its weight for disk access, 10 to 1000
  weight_device  the same for one device
  device_read_bps  bytes it may read a second
  device_write_bps  bytes it may write a second
  device_read_iops  reads a second
  device_write_iops  writes a second
/services/*/credential_spec
  config        name of the config
  file          path of the file
  registry      key in the registry
/services/*/provider
  type          the program
  options       its options
/services/*/models/*
  endpoint_var  variable that gets the address
  model_var     variable that gets the name
/networks/*
  driver        bridge, overlay…
  external      made by somebody else: only used
  name          its name, in place of PROJECT_NAME
  internal      no way out
  attachable    other containers may connect
  ipam          addresses
  driver_opts   options of the driver
  enable_ipv4   with IPv4
  enable_ipv6   with IPv6
  labels        labels
/networks/*/ipam
  driver        who gives addresses
  config        subnets
  options       options of the driver
/networks/*/ipam/config[]
  subnet        such as 172.28.0.0/16
  gateway       address of the way out
  ip_range      part of the subnet that containers get
  aux_addresses  addresses that are taken
/volumes/*
  driver        who keeps it (local)
  external      made by somebody else: only used
  name          its name, in place of PROJECT_NAME
  driver_opts   options of the driver
  labels        labels
/configs/*
  file          the file
  content       the contents themselves
  environment   the variable that has the contents
  external      made by somebody else: only used
  name          its name
  labels        labels
  template_driver  who fills in templates
/secrets/*
  file          the file
  environment   the variable that has the contents
  external      made by somebody else: only used
  name          its name
  labels        labels
  driver        who keeps it
  driver_opts   options of the driver
  template_driver  who fills in templates
/models/*
  model         the model
  name          its name
  context_size  how much text it takes in
  runtime_flags  flags for the program that runs it
"""


def _read(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.strip().splitlines():
        if line.startswith("/"):
            here = found.setdefault(line, {})
        else:
            key, what = line.split(None, 1)
            here[key] = what
    return found


#: path → key → what it means.
KEYS = _read(_TEXT)


def allowed(path: str) -> list[str]:
    """The keys that may stand below `path` ("services.web"); [] where any name may, or unknown."""
    for place, keys in KEYS.items():
        pattern = re.escape(place.strip("/").replace("[]", "/*").replace("/", "."))
        if re.fullmatch(pattern.replace(r"\*", r"[^.]+"), path):
            return list(keys)
    return []
