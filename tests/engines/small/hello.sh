#!/usr/local/bin/dash
# a service: it ends well when it is asked to
trap 'exit 0' TERM
while :; do
  sleep 60 &
  wait $!
done
