-- Makes the caller the owner of a shard: opens an epoch and replaces the snapshot with the caller's state.
--
-- Keys
--   KEYS[1]    the shard's change stream
--   KEYS[2]    the shard's snapshot hash
-- Arguments
--   ARGV[1]    the new epoch
--   ARGV[2]    the batch that opens it
--   ARGV[3]..  the whole snapshot: field, value, field, value, ..
-- Reply
--   "OK", or the id of the stream's last entry if its epoch is not below the new one; then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: followers see the epoch open together with its whole snapshot. From then on every
--   write of an earlier owner is refused, since Redis accepts no id below the last one.

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if tonumber(string.match(top, '^(%d+)-')) >= tonumber(ARGV[1]) then
  return top
end
redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'b', ARGV[2])
redis.call('DEL', KEYS[2])
-- unpack() is limited to about 8,000 values.
for start = 3, #ARGV, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, #ARGV)))
end
return 'OK'
