#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The machine at the other end of the wires: a router with a VLAN and a DHCP server, which says on its console what it can
# reach whenever that changes. eth0 leads to the bond, eth1 to the adapter that is configured by its name.
/bin/busybox mkdir -p /etc /proc /sys /tmp
/bin/busybox --install -s /bin
echo root:x:0:0::/:/bin/sh >/etc/passwd
echo root:x:0: >/etc/group
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

ip link set lo up
ip link set eth0 up
ip link set eth1 up
ip link add link eth0 name eth0.7 type vlan id 7
ip link set eth0.7 up
ip addr add 10.7.0.1/24 dev eth0.7
ip addr add 10.8.0.1/32 dev lo # behind this router
ip addr add 10.9.0.1/24 dev eth1
ip addr add 10.10.0.1/24 dev eth1
ip -6 addr add fd00:9::1/64 dev eth1

watch() {
  name=$1 before=lost
  shift
  while :; do
    now=lost
    ping -c 1 -W 1 "$@" >/dev/null 2>&1 && now=reached
    [ "$now" = "$before" ] || echo "peer: $name $now"
    before=$now
    sleep 1
  done
}
watch vlan 10.7.0.2 &
watch route -I 10.8.0.1 10.7.0.2 &
watch lease4 10.9.0.77 &
watch lease6 -6 fd00:9::77 &
watch static 10.10.0.2 &

echo "peer: ready"
exec dnsmasq --keep-in-foreground --log-facility=- --log-dhcp --user=root --group=root --port=0 --pid-file= \
  --interface=eth1 --enable-ra --dhcp-leasefile=/tmp/leases --dhcp-authoritative \
  --dhcp-range=10.9.0.77,10.9.0.77,255.255.255.0,10m --dhcp-range=fd00:9::77,fd00:9::77,64,10m \
  --dhcp-option=option:ntp-server,10.9.0.1 --dhcp-option=option6:dns-server,[fd00:9::1]
