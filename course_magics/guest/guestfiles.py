"""The files that make a Debian into the course's guest, as text.

`FILES` are written into the root file system, `SETUP` runs in it once, `INIT` and `DHCP` are the
two scripts of the initial RAM disk.
"""

from __future__ import annotations

SOURCES = """\
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""

# The kernel of a machine that was saved and started again believes that no time has passed. The
# hardware clock knows better: QEMU keeps it at the host's time. Two machines started from one
# snapshot would also draw the same random numbers until fed with new ones.
CLOCK = r"""#!/usr/bin/perl
use strict;
use warnings;

sub number { open(my $f, '<', $_[0]) or return; my $n = <$f>; close $f; return $n + 0 }

no warnings 'numeric';
my $clock = '/sys/class/rtc/rtc0/since_epoch';
my $before;
while (1) {
    my ($rtc, $up) = (number($clock), number('/proc/uptime'));
    if (defined $rtc && defined $up) {
        my $offset = $rtc - $up;
        if (defined $before && abs($offset - $before) > 2) {
            if (abs($rtc - time) > 2) {
                system('/usr/bin/date', '-u', '-s', '@' . $rtc);
                # The hardware clock knows whole seconds only: set it again as the next begins.
                my $next;
                do { select(undef, undef, undef, 0.02); $next = number($clock) }
                    until !defined $next || $next != $rtc;
                system('/usr/bin/date', '-u', '-s', '@' . $next) if defined $next;
            }
            if (open(my $random, '+<', '/dev/urandom')) {
                if (open(my $source, '<:raw', '/dev/hwrng')) {
                    my $bytes;
                sysread($source, $bytes, 64) and syswrite($random, $bytes);
                }
                ioctl($random, 0x5207, 0);    # RNDRESEEDCRNG
            }
        }
        $before = $offset;
    }
    select(undef, undef, undef, 0.5);
}
"""

_UNUSED = (
    "ata_generic",
    "ata_piix",
    "drm",
    "floppy",
    "i2c_piix4",
    "kvm_amd",
    "kvm_intel",
    "pata_acpi",
    "psmouse",
    "qemu_fw_cfg",
    "serio_raw",
)

FILES: dict[str, tuple[int, str]] = {
    "etc/apt/sources.list": (0o644, SOURCES),
    "etc/apt/apt.conf.d/90course": (
        0o644,
        'APT::Install-Recommends "false";\nAcquire::Languages "none";\n',
    ),
    "etc/hostname": (0o644, "debian12\n"),
    "etc/hosts": (
        0o644,
        "127.0.0.1 localhost\n127.0.1.1 debian12\n::1 localhost ip6-localhost ip6-loopback\n",
    ),
    "etc/resolv.conf": (0o644, "nameserver 10.0.2.3\n"),
    "etc/default/locale": (0o644, "LANG=C.UTF-8\n"),
    "etc/fstab": (0o644, "# The root file system is mounted by the initial RAM disk.\n"),
    # Empty, not absent: absent means "first boot" to systemd, which then enables all services.
    "etc/machine-id": (0o444, ""),
    "etc/network/interfaces": (
        0o644,
        "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n",
    ),
    "etc/sudoers.d/vagrant": (0o440, "vagrant ALL=(ALL) NOPASSWD: ALL\n"),
    "etc/ssh/sshd_config": (
        0o644,
        "Include /etc/ssh/sshd_config.d/*.conf\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
        "HostKey /etc/ssh/ssh_host_ecdsa_key\n"
        # Without the hybrid exchange that OpenSSH prefers: 0.13 s of each login in emulation.
        "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
        "diffie-hellman-group14-sha256\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "UsePAM yes\n"
        "UseDNS no\n"
        "PrintMotd no\n"
        "AcceptEnv LANG LC_*\n"
        "Subsystem sftp /usr/lib/openssh/sftp-server\n",
    ),
    # Debian's without the message of the day, mail and SELinux: each costs a program per login.
    "etc/pam.d/sshd": (
        0o644,
        "@include common-auth\n"
        "@include common-account\n"
        "session required pam_loginuid.so\n"
        "session optional pam_keyinit.so force revoke\n"
        "@include common-session\n"
        "session required pam_limits.so\n"
        "session required pam_env.so\n"
        "session required pam_env.so envfile=/etc/default/locale\n"
        "@include common-password\n",
    ),
    # Debian's waits for the network and the rest of the system; this one needs neither, because
    # the initial RAM disk has already set the network up.
    "etc/systemd/system/ssh.service": (
        0o644,
        "[Unit]\n"
        "Description=OpenBSD Secure Shell server\n"
        "Documentation=man:sshd(8)\n"
        "DefaultDependencies=no\n"
        "Conflicts=shutdown.target\n"
        "Before=shutdown.target\n"
        "[Service]\n"
        "Type=notify\n"
        "ExecStart=/usr/sbin/sshd -D\n"
        "ExecReload=/bin/kill -HUP $MAINPID\n"
        "KillMode=process\n"
        "Restart=on-failure\n"
        "RuntimeDirectory=sshd\n"
        "RuntimeDirectoryMode=0755\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
        "Alias=sshd.service\n",
    ),
    "etc/systemd/system/course-clock.service": (
        0o644,
        "[Unit]\n"
        "Description=Set the clock and the random generator after a saved machine starts again\n"
        "After=ssh.service\n"
        "[Service]\n"
        "ExecStart=/usr/local/sbin/course-clock\n"
        "Restart=on-failure\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n",
    ),
    "usr/local/sbin/course-clock": (0o755, CLOCK),
    "etc/systemd/system.conf.d/course.conf": (0o644, "[Manager]\nDefaultTimeoutStopSec=10s\n"),
    "etc/systemd/journald.conf.d/course.conf": (
        0o644,
        "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nForwardToSyslog=no\n",
    ),
    # Hardware that the machine has and nobody uses; `modprobe kvm_amd` by hand still works.
    "etc/modprobe.d/course.conf": (0o644, "".join(f"blacklist {name}\n" for name in _UNUSED)),
    # `ping` by everybody; the file capability that Debian gives it does not outlive the tar.
    "etc/sysctl.d/50-course.conf": (0o644, "net.ipv4.ping_group_range = 0 2147483647\n"),
    "etc/initramfs-tools/update-initramfs.conf": (
        0o644,
        "# The kernel and its RAM disk are given to the machine from outside.\n"
        "update_initramfs=no\nbackup_initramfs=no\n",
    ),
}

MASKED = (
    "apparmor.service",
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "modprobe@drm.service",
    "getty@tty1.service",
    "getty-static.service",
    "proc-sys-fs-binfmt_misc.automount",
    "serial-getty@ttyS0.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-journal-flush.service",
    "systemd-machine-id-commit.service",
    "systemd-modules-load.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-repart.service",
    "systemd-sysusers.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
)

# Runs by `chroot ROOT sh -e`, as the last thing. It must leave /tmp alone: mmdebstrap keeps its
# apt configuration there, and without that its last step, cleaning, would clean the host's apt.
SETUP = rf"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
useradd -m -u 1000 -s /bin/bash -c 'Vagrant' vagrant
usermod -p '*' vagrant
usermod -a -G docker vagrant
usermod -p '*' root
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
: > /home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
chmod 600 /home/vagrant/.ssh/authorized_keys
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C course -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ecdsa -N '' -C course -f /etc/ssh/ssh_host_ecdsa_key
cd /etc/systemd/system
rm -rf *.wants
mkdir -p multi-user.target.wants sockets.target.wants
for unit in ssh course-clock; do
    ln -sf /etc/systemd/system/$unit.service multi-user.target.wants/
done
ln -sf /etc/systemd/system/ssh.service sshd.service
ln -sf /lib/systemd/system/networking.service multi-user.target.wants/
ln -sf /lib/systemd/system/docker.socket sockets.target.wants/
for unit in {" ".join(MASKED)}; do ln -sf /dev/null $unit; done
mkdir -p /etc/tmpfiles.d
ln -sf /dev/null /etc/tmpfiles.d/systemd-nologin.conf
ln -sf /lib/systemd/system/multi-user.target default.target
rm -f /etc/motd /etc/apt/apt.conf.d/99mmdebstrap /etc/rc?.d/[SK]*
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -rf /var/log/*.log /var/log/apt /initrd.img* /vmlinuz*
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
"""

# The guest's network is up before systemd starts. What ifupdown keeps in /run/network says so to
# it: `ifdown eth0` and `ifup eth0` then work as ever. course.key=TYPE,KEY on the kernel's command
# line is who may log in: the image itself lets nobody in.
INIT = r"""#!/bin/sh
export PATH=/bin
mount -t devtmpfs -o mode=755 dev /dev
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sys /sys
mount -t tmpfs -o mode=755,nosuid,nodev run /run
while read -r module; do insmod "/modules/$module"; done < /modules/order
n=0
while [ ! -b /dev/vda ]; do
    n=$((n + 1))
    if [ $n -gt 600 ]; then echo "course guest: no disk"; poweroff -f; fi
    sleep 0.1
done
mount -t ext4 -o rw,noatime /dev/vda /root || { echo "course guest: bad disk"; poweroff -f; }
ip link set lo up
ip link set eth0 up && udhcpc -i eth0 -n -q -t 10 -T 1 -s /bin/dhcp > /dev/null 2>&1
mkdir -p /run/network
printf 'lo=lo\neth0=eth0\n' > /run/network/ifstate
echo lo > /run/network/ifstate.lo
echo eth0 > /run/network/ifstate.eth0
init=/sbin/init
key=
keys=/root/home/vagrant/.ssh/authorized_keys
read -r words < /proc/cmdline
for word in $words; do
    case $word in
        init=*) init=${word#init=} ;;
        course.key=*) key=${word#course.key=} ;;
    esac
done
if [ -n "$key" ] && [ -f $keys ]; then
    key="${key%%,*} ${key#*,}"
    grep -qF "$key" $keys || printf '\n%s\n' "$key" >> $keys
fi
for folder in dev proc sys run; do mount -o move /$folder /root/$folder; done
exec switch_root /root "$init"
"""

DHCP = r"""#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" broadcast + dev "$interface"
for gateway in $router; do ip route add default via "$gateway" dev "$interface"; break; done
: > /root/etc/resolv.conf
for server in $dns; do echo "nameserver $server" >> /root/etc/resolv.conf; done
"""
