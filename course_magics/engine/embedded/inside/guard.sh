#!/bin/sh
# guard [PORT...|all]: what listens on the 127.0.0.1 of the reader's computer is out of reach, but for these ports.
#
# QEMU's user network leads 10.0.2.2, and any other address of its own, to 127.0.0.1: a container would reach the
# notebook server. Its name server answers, and nothing else of what 10.0.2.3 stands for. The machine runs this as it
# boots, before dockerd starts any container; whoever starts the machine runs it again, with the ports. The rules go
# with the machine's memory.
rules="2 $*" # counted up when they change
set_before=/dev/shm/course-guard
[ "$(cat $set_before 2>/dev/null)" != "$rules" ] || exit 0
# The rule for what the machine itself sends stays when the others change.
out='-A OUTPUT ! -o lo'
[ ! -e $set_before ] || out='#'

four() {
    # Connections from before the first rule are unknown to conntrack: the user's own, for instance.
    echo '-p tcp ! --syn -j RETURN'
    echo '-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN'
    echo '-d 10.0.2.3 -p udp --dport 53 -j RETURN'
    echo '-d 10.0.2.3 -p tcp --dport 53 -j RETURN'
    echo '-p udp --dport 67 -j RETURN'
    for port; do
        echo "-d 10.0.2.2 -p tcp --dport $port -j RETURN"
        echo "-d 10.0.2.2 -p udp --dport $port -j RETURN"
    done
    echo '-p tcp -j REJECT --reject-with tcp-reset'
    echo '-j REJECT'
}

six() {
    echo '-p tcp ! --syn -j RETURN'
    echo '-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN'
    echo '-p ipv6-icmp -j RETURN'
    echo '-d fec0::3 -p udp --dport 53 -j RETURN'
    echo '-d fec0::3 -p tcp --dport 53 -j RETURN'
    echo '-j REJECT'
}

# The rules for what goes to a network, where dockerd looks first; it keeps a chain of that name.
table() {
    echo '*filter'
    echo ':COURSE - [0:0]'
    echo ':DOCKER-USER - [0:0]'
    [ "$2" = all ] || "$@" | sed 's/^/-A COURSE /'
    echo "-A DOCKER-USER -d $network -j COURSE"
    echo '-A DOCKER-USER -j RETURN'
    echo "$out -d $network -j COURSE"
    echo COMMIT
}

network=10.0.2.0/24
table four "$@" | iptables-restore -w --noflush || exit 1
network=fec0::/64
table six "$@" | ip6tables-restore -w --noflush || echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
echo "$rules" >$set_before
