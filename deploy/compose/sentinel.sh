#!/bin/sh
# Starts a Sentinel. It writes what it learns into its config, which it keeps.
set -eu
password=$(cat "${SECRETS:-/run/secrets}/redis_password")
umask 077
config=${DATA:-/data}/sentinel.conf
[ -s "$config" ] || cat >"$config" <<END
port 26379
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $(hostname)
sentinel monitor odds redis-1 6379 2
sentinel auth-pass odds $password
sentinel down-after-milliseconds odds 1000
sentinel failover-timeout odds 5000
sentinel parallel-syncs odds 1
END
exec redis-server "$config" --sentinel
