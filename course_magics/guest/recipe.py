"""What the guest is made of: packages, switches, devices, kernel command line.

Everything here goes into the guest's hash, so a change makes a new guest.
"""

from __future__ import annotations

import hashlib
import json

from course_magics.guest import guestfiles

# Counted up when the way of building changes without any of the data below changing.
REVISION = 1
SUITE = "bookworm"
# Time stamps of files are not later than this, so that equal inputs give equal files.
EPOCH = 1767225600

PACKAGES = (
    # Not the smaller "cloud" kernel: it has no 9p, by which folders are shared.
    "linux-image-amd64",
    # The initial RAM disk is our own, made of this and five kernel modules: Debian's starts a
    # second udev, which costs seconds under software emulation.
    "busybox-static",
    "udhcpc",
    "ifupdown",
    "systemd-sysv",
    "udev",
    "dbus",
    "openssh-server",
    "openssh-sftp-server",
    "sudo",
    "rsync",
    "iproute2",
    "iputils-ping",
    "procps",
    "kmod",
    "ca-certificates",
    "netbase",
    "less",
    "nano",
    "curl",
    "docker.io",
    "crun",
    "tini",
    "iptables",
    "apparmor",
    "qemu-guest-agent",
)

# Programs and data that nothing in the course runs; they are a third of the disk.
EXCLUDED = (
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/lib/udev/hwdb.d/*",
    "/usr/bin/dnet",
    "/usr/sbin/ovrouter",
    "/usr/bin/containerd-shim",
    "/usr/bin/containerd-shim-runc-v1",
    # Drivers of hardware that QEMU has not.
    *(
        f"/lib/modules/*/kernel/{folder}/*"
        for folder in (
            "sound",
            "drivers/gpu",
            "drivers/media",
            "drivers/iio",
            "drivers/infiniband",
            "drivers/hid",
            "drivers/usb",
            "drivers/staging",
            "drivers/mtd",
            "drivers/hwmon",
            "drivers/platform",
            "drivers/mmc",
            "drivers/mfd",
            "drivers/isdn",
            "drivers/net/wireless",
            "drivers/net/ethernet",
            "drivers/net/usb",
            "drivers/net/can",
            "drivers/net/fddi",
            "drivers/net/hamradio",
            "drivers/power",
            "drivers/video",
            # Not all of drivers/input: evdev passes on the power button.
            *(
                f"drivers/input/{kind}"
                for kind in ("joystick", "misc", "mouse", "rmi4", "tablet", "touchscreen")
            ),
            "drivers/comedi",
            "drivers/edac",
            "drivers/leds",
            "drivers/firewire",
            "drivers/spi",
            "drivers/bluetooth",
            "drivers/nfc",
            "drivers/thunderbolt",
            "drivers/scsi/*",
            "net/bluetooth",
            "net/wireless",
            "net/mac80211",
            "net/nfc",
            "net/can",
            "net/hamradio",
            "fs/ocfs2",
            "fs/gfs2",
            "fs/jfs",
            "fs/reiserfs",
            "fs/ubifs",
            "fs/hfs",
            "fs/hfsplus",
        )
    ),
)
INCLUDED = ("/usr/share/doc/*/copyright", "/usr/share/doc/*/changelog.Debian.*")

# Loaded by the initial RAM disk, so that disk and network are there before udev is.
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "virtio_console",
    "virtio_balloon",
    "ext4",
    "crc32c_generic",
)

DISK_GB = 8
MKE2FS = (
    "-t", "ext4", "-q", "-F", "-m", "1", "-N", "400000", "-J", "size=32", "-L", "course",
    # Inode tables are written now: a kernel that does it later fills every machine's overlay.
    "-E", "lazy_itable_init=0,lazy_journal_init=0",
)  # fmt: skip

MACHINE = "pc-i440fx-7.2,usb=off,vmport=off,hpet=off"
ACCEL = "tcg,thread=multi,tb-size=256"
CPU_MODEL = "qemu64"
MEMORY_MB = 512
CPUS = 2
# Addresses are given, so that the order of options cannot change what the guest sees.
MACHINE_ARGS = (
    "-nodefaults",
    "-no-user-config",
    "-display", "none",
    "-rtc", "base=utc,clock=host",
    "-device", "virtio-blk-pci,drive=disk0,addr=0x3,id=blk0",
    "-device", "virtio-net-pci,netdev=net0,addr=0x4,id=nic0,mac=52:54:00:12:34:56,romfile=",
    "-device", "virtio-net-pci,netdev=net1,addr=0x5,id=nic1,mac=52:54:00:12:34:57,romfile=",
    "-device", "virtio-balloon-pci,addr=0x6,id=balloon0,free-page-reporting=on",
    "-object", "rng-random,id=rng0,filename=/dev/urandom",
    "-device", "virtio-rng-pci,rng=rng0,addr=0x7",
    "-device", "virtio-serial-pci,addr=0x8,id=serial1",
    "-device", "virtserialport,bus=serial1.0,nr=1,chardev=agent0,name=org.qemu.guest_agent.0",
    "-device", "isa-serial,chardev=serial0",
)  # fmt: skip
# Measured: audit=0 or tsc=reliable make nothing faster, audit=0 a login slower by 0.15 s.
APPEND = (
    # norandmaps: what QEMU has translated of a program serves its next run only where it lies at
    # the same address again.
    "console=ttyS0 quiet loglevel=3 net.ifnames=0 mitigations=off norandmaps nokaslr "
    "systemd.show_status=false panic=10"
)


def recipe_hash(qemu: str) -> str:
    """16 hex digits that stand for everything above, the guest's files and QEMU's version."""
    inputs = {
        "revision": REVISION,
        "suite": SUITE,
        "epoch": EPOCH,
        "packages": PACKAGES,
        "excluded": [EXCLUDED, INCLUDED],
        "modules": MODULES,
        "disk": [DISK_GB, MKE2FS],
        "machine": [MACHINE, ACCEL, CPU_MODEL, MEMORY_MB, CPUS, MACHINE_ARGS, APPEND],
        "files": guestfiles.FILES,
        "setup": guestfiles.SETUP,
        "init": [guestfiles.INIT, guestfiles.DHCP],
        "qemu": qemu,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
