-- Takes one of the seats that somebody has, in all gateways together, unless all are taken.
--
-- KEYS[1]  a sorted set of who sits there, by when the seat is free again if nobody says otherwise (Redis' clock, ms)
-- ARGV[1]  who
-- ARGV[2]  how many seats there are
-- ARGV[3]  for how many milliseconds
--
-- Replies 1 if the seat is taken, or was by the same; else 0.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
