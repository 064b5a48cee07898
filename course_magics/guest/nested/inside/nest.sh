#!/bin/busybox sh
# nest DEPTH: does a fixed work here, then boots a machine that does the same. DEPTH: 0, 1 or 2.
# The shell does as much as it can by itself: in a machine a new process takes long.
depth=${1:-1} level=${LEVEL:-0} cpu=unknown emulated=
say() { echo "nest $level $*"; }
read -r kernel </proc/sys/kernel/osrelease
say kernel "$kernel"
while read -r key colon value; do
    case $key$colon in modelname*) cpu=${value#: } && break ;; esac
done </proc/cpuinfo
say cpu "$cpu"
say begin
/bin/work
say end

machine() { # memory, then what to start
    memory=$1
    shift
    say boot
    /usr/bin/qemu-system-x86_64 -accel tcg,tb-size=64 -cpu qemu64 -m "$memory" -nodefaults \
        -no-user-config -display none -serial stdio -no-reboot -bios /usr/share/qemu/qboot.rom \
        "$@" </tmp/said
    say back
}
: >/tmp/said
case $level$depth$cpu in
    0[12]QEMU*) emulated=yes ;; # the container is in a machine of software already
esac
if [ "$emulated" ]; then
    machine 16 -kernel /boot/tiny1
elif [ "$level" = 0 ] && [ "$depth" -gt 0 ]; then
    # What Linux has for a disk is in its memory. QEMU is there only if it shall boot another one.
    files="init bin"
    [ "$depth" = 1 ] || files="init bin lib lib64 usr boot/tiny2"
    cd /
    { printf '%s\n' boot proc tmp && find $files; } | cpio -o -H newc 2>/tmp/said >/tmp/disk
    machine 256 -kernel /boot/vmlinux -initrd /tmp/disk -append "console=ttyS0 quiet loglevel=1 \
reboot=t panic=-1 mitigations=off nokaslr norandmaps acpi=off noapic nosmp no_timer_check nowatchdog \
init_on_alloc=0 apparmor=0 audit=0 ipv6.disable=1 cryptomgr.notests 8250.nr_uarts=1 lpj=1000000 \
initcall_blacklist=init_kprobe_trace,crypto_kdf108_init LEVEL=1 DEPTH=$depth"
elif [ "$level" -lt "$depth" ]; then
    # Two levels deep Linux takes minutes; this system is a few hundred bytes and does the work.
    machine 16 -kernel /boot/tiny2
fi
