-- Writes fields of the board, each with when that was by Redis's own clock; without fields, reads the board.
--
-- Keys
--   KEYS[1]    the board, a hash
-- Types of the keys
--   hash
-- Arguments
--   ARGV[1]    after how many seconds the board is deleted if nobody writes it
--   ARGV[2..]  fields and values by turns
-- Reply
--   with fields, nothing. Without, {the time by Redis's own clock, Unix milliseconds, all fields and values by turns}
-- Atomicity
--   Redis runs a script without interruption: no value is read with the time of another, and the time is that of the read.

local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
if #ARGV < 2 then
  return {now_ms, redis.call('HGETALL', KEYS[1])}
end
for field = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[field], ARGV[field + 1], 'at:' .. ARGV[field], now_ms)
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
