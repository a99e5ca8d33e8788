-- Leases a session of a subject, counted across all gateways, unless the subject has reached its limit. Atomic.
--
-- KEYS[1]  a sorted set of the subject's sessions, scored by when each lease expires (Redis' clock, Unix ms)
-- ARGV[1]  the session
-- ARGV[2]  how many sessions the subject may have
-- ARGV[3]  the length of the lease, ms
--
-- Types of the keys
--   zset
--
-- Replies 1 if the session is leased or its lease was renewed, else 0.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
