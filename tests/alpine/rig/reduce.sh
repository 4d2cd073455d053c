#!/bin/sh
# Takes out of the virtual machine's system what the official image does not hold: its
# kernel, its init and what only they need, by apk itself, then what setting the machine
# up has left behind.
set -eu
apk del --no-network --quiet \
  busybox-openrc \
  ca-certificates \
  cloud-utils-growpart \
  curl \
  dhcpcd \
  e2fsprogs-extra \
  linux-virt \
  openrc \
  sudo
deluser dhcpcd
deluser quicksand
# deluser may have taken the group along
if grep -q '^dhcpcd:' /etc/group; then delgroup dhcpcd; fi
rm -rf /home/quicksand /usr/local/bin/quicksand-guest-agent
# shellcheck disable=SC2114 # in a container of its own
rm -rf /boot /lib/modules /lib/firmware /etc/conf.d /etc/dhcpcd.conf /etc/init.d /etc/mkinitfs \
  /etc/resolv.conf.quicksand /etc/runlevels /etc/ssl1.1 /etc/sudoers* /etc/terminfo \
  /etc/*- /etc/*.apk-new /etc/local.d /etc/rc.conf /etc/acpi \
  /var/cache/* /var/lib/dhcpcd /var/log/* /root/.ash_history /tmp/*
