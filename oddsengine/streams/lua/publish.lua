-- Publishes one batch: appends it to the shard's stream and brings the snapshot up to it, both or neither.
--
-- KEYS[1]  the shard's change stream
-- KEYS[2]  the shard's snapshot hash
-- ARGV[1]  epoch          ARGV[2]  seq (1 or more)
-- ARGV[3]  the batch      ARGV[4]  about how many entries the stream keeps
-- ARGV[5]  n, the number of snapshot fields to set
-- ARGV[6]..ARGV[5+2n]     field, value, field, value, ...
-- ARGV[6+2n]..            fields to delete
--
-- Replies "OK" once the batch stands, also if it did already (its reply was lost), else the stream's top id: nothing is
-- written unless the top is the position before this one, so a stale owner is fenced off and lost data never passes.
-- A script is atomic in Redis: no reader sees the entry without its snapshot.

local epoch, seq = ARGV[1], tonumber(ARGV[2])
local id = epoch .. '-' .. ARGV[2]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if top == id then
  return 'OK'
end
if top ~= epoch .. '-' .. string.format('%.0f', seq - 1) then
  return top
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], id, 'b', ARGV[3])
local fields = tonumber(ARGV[5])
local first = 6
local after = first + 2 * fields
-- unpack() has a limit near 8,000 values
for start = first, after - 1, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, after - 1)))
end
for start = after, #ARGV, 2000 do
  redis.call('HDEL', KEYS[2], unpack(ARGV, start, math.min(start + 1999, #ARGV)))
end
return 'OK'
