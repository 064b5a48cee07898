#!/bin/sh
# The first process of the embedded engine's machine: sshd, containerd, dockerd and nothing else.
[ "$$" -ne 1 ] || exec /usr/bin/tini -s -- "$0" # which reaps what loses its parent

export PATH=/usr/local/lib/course/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 HOME=/root
mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock /run/sshd
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev shm /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,mode=1777 tmp /tmp
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr

group=/sys/fs/cgroup
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 $group
# Only a group without processes can share out its controllers.
mkdir -p $group/init
while read -r pid; do echo "$pid" >$group/init/cgroup.procs; done <$group/cgroup.procs 2>/dev/null
for name in $(cat $group/cgroup.controllers); do echo "+$name" >$group/cgroup.subtree_control; done

# A container's namespaces go at once, not after the next quiet moment of every CPU.
echo 1 >/sys/kernel/rcu_expedited
modprobe -a overlay bridge br_netfilter veth 9p 9pnet_virtio nf_tables nft_compat nft_chain_nat \
    nf_conntrack nf_nat xt_MASQUERADE xt_addrtype xt_conntrack xt_comment xt_nat xt_tcpudp 2>/dev/null
# proxy_arp: QEMU's network sends what comes to a published port to the container's own address.
# ip_local_port_range: dockerd takes from it the ports that it may choose itself. They are opened on the
# reader's computer, too, where Linux gives 32768 to 60999 to any connection.
sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.eth0.proxy_arp=1 \
    net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
    net.ipv4.ping_group_range="0 2147483647" net.ipv4.ip_local_port_range="61000 65535"
hostname -F /etc/hostname
ulimit -n 65536
# Before anybody can log in, who then sets it with the ports that are allowed.
/usr/local/lib/course/bin/guard
# Who may log in, the agent is told by the user who started this machine. Before that it is nobody.
# Where the user's key was damaged, the kernel's command line says so, which only that user writes.
{ [ -s /etc/course/authorized_keys ] && ! grep -qw course.rekey /proc/cmdline; } || for port in /dev/vport*p1; do
    qemu-ga -d -m virtio-serial -p "$port" -f /run/course-agent.pid -t /run </dev/null >/dev/null 2>&1
done
/usr/sbin/sshd -D </dev/null >/dev/null 2>&1 &

cd /
# On a full disk dockerd does not start, and then nothing could be removed either.
[ "$(df -k --output=avail / | tail -n 1)" -gt 16384 ] || rm -f /var/lib/course-room
containerd --config /usr/local/lib/course/containerd.toml </dev/null >/var/log/containerd.log 2>&1 &
# Containers that are to be started again reach nothing that they should not: where the rules could not be set,
# dockerd waits until whoever started the machine has set them.
until [ -S /run/containerd/containerd.sock ] && [ -e /dev/shm/course-guard ]; do sleep 0.05; done
while :; do
    # Published ports need no process each: QEMU's network passes them on.
    dockerd -H unix:///var/run/docker.sock --containerd /run/containerd/containerd.sock \
        --exec-opt native.cgroupdriver=cgroupfs --userland-proxy=false \
        --add-runtime crun=/usr/local/lib/course/bin/crun --default-runtime crun \
        </dev/null >/var/log/dockerd.log 2>&1
    sleep 1
done
