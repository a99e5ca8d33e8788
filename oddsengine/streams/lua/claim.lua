-- Makes the caller the owner of a shard: opens an epoch and replaces the snapshot by the caller's state.
--
-- KEYS[1]  the shard's change stream
-- KEYS[2]  the shard's snapshot hash
-- ARGV[1]  the new epoch
-- ARGV[2]  the opening batch
-- ARGV[3]..  field, value, field, value, ... of the whole snapshot
--
-- Replies "OK", or the stream's top id if its epoch is not below the new one. From "OK" on every write of an older owner
-- is refused, because Redis takes no id under the top. Atomic: followers see the epoch open with its snapshot whole.

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if tonumber(string.match(top, '^(%d+)-')) >= tonumber(ARGV[1]) then
  return top
end
redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'b', ARGV[2])
redis.call('DEL', KEYS[2])
for start = 3, #ARGV, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, #ARGV)))
end
return 'OK'
