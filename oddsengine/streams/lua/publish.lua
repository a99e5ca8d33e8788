-- Publishes a batch: appends it to the shard's stream and updates the snapshot to match.
--
-- Keys
--   KEYS[1]                 the shard's change stream
--   KEYS[2]                 the shard's snapshot hash
--   KEYS[3]..KEYS[2+r]      the results of the markets that leave the offer with this batch
-- Arguments
--   ARGV[1]                 the owner's epoch
--   ARGV[2]                 seq of the batch, from 1
--   ARGV[3]                 the batch
--   ARGV[4]                 the id of the oldest entry that the stream keeps, approximately
--   ARGV[5]                 n, the number of snapshot fields to set
--   ARGV[6]..ARGV[5+2n]     field, value, field, value, ..
--   ARGV[6+2n]..            snapshot fields to delete
--   then, where r > 0       the r results, and for how many milliseconds they are kept
-- Reply
--   "OK" if the batch is in the stream, also if an earlier call wrote it and its reply was lost. "INCOMPLETE" if the snapshot is
--   not what the last call left: it lacks records, or belongs to another position. Otherwise the id of the stream's last entry: it
--   is not the position before this batch, because another owner has opened an epoch or data was lost. Then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: no reader sees the entry without its snapshot, or the snapshot without its entry,
--   and no market leaves the offer without its results being kept.

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
if redis.call('HGET', KEYS[2], 'whole') ~= redis.call('HLEN', KEYS[2]) .. '@' .. top then
  return 'INCOMPLETE'
end
redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[4], id, 'b', ARGV[3])
local fields = tonumber(ARGV[5])
local first = 6
local after = first + 2 * fields
-- unpack() is limited to about 8,000 values.
for start = first, after - 1, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, after - 1)))
end
local results = #KEYS - 2
local deleted = results > 0 and #ARGV - results - 1 or #ARGV
for start = after, deleted, 2000 do
  redis.call('HDEL', KEYS[2], unpack(ARGV, start, math.min(start + 1999, deleted)))
end
redis.call('HSET', KEYS[2], 'whole', redis.call('HLEN', KEYS[2]) .. '@' .. id)
for result = 1, results do
  redis.call('SET', KEYS[2 + result], ARGV[deleted + result], 'PX', ARGV[#ARGV])
end
return 'OK'
