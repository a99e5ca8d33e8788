#!/bin/sh
# Starts a Redis under the name $1: as the replica of whom the Sentinels call the primary, else of redis-1.
set -eu
password=$(cat "${SECRETS:-/run/secrets}/redis_password")
primary=redis-1
for sentinel in sentinel-1 sentinel-2 sentinel-3; do
  named=$(timeout 2 redis-cli -h "$sentinel" -p 26379 sentinel get-master-addr-by-name odds 2>/dev/null | head -n 1) || continue
  case $named in redis-*) primary=$named && break ;; esac
done
umask 077
{
  cat "${CONFIG:-/etc/redis/redis.conf}"
  echo "requirepass $password"
  echo "masterauth $password"
  echo "replica-announce-ip $1"
  [ "$primary" = "$1" ] || echo "replicaof $primary 6379"
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
