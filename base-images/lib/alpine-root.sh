#!/bin/sh
# Makes an Alpine system with its packages into what an image of ours is: the service's
# account, and none of what no server reads. apk's own record of the packages stays, for
# scanners.
set -eu
adduser -D -H -u 10001 -h /app -s /sbin/nologin sutra
# the day of the build is not in the image: it would be another one every day
sed -i 's/^\(sutra:!\):.*/\1::0:::::/' /etc/shadow
# the bundle holds the same certificates; updating it is for a builder
rm -rf /usr/share/ca-certificates
rm -rf /etc/profile.d/README /var/cache/apk /var/log/*
# backups of adduser and the history of a shell
rm -f /etc/*- /root/.ash_history
