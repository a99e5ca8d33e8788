-- Publishes a batch: appends it to the shard's stream, and writes a piece of a refresh to the snapshot.
--
-- Keys
--   KEYS[1]                 the shard's change stream
--   KEYS[2]                 the shard's snapshot hash
--   KEYS[3]..KEYS[2+r]      the results of the markets that leave the offer with this batch
--   KEYS[3+r]               where r > 0: which results are kept, oldest first
-- Types of the keys
--   stream hash
-- Arguments
--   ARGV[1]                 the owner's epoch
--   ARGV[2]                 seq of the batch, from 1
--   ARGV[3]                 the batch
--   ARGV[4]                 the id of the oldest entry that the stream keeps, approximately
--   ARGV[5]                 the digest of the batch
--   ARGV[6]                 the time of this server after which the batch is too old, Unix milliseconds; 0 for none
--   ARGV[7]                 seq of the position that the snapshot says it is of
--   ARGV[8]                 seq of the position that it says from now on
--   ARGV[9]                 n, the number of snapshot fields to set
--   ARGV[10]..ARGV[9+2n]    field, value, field, value, ..
--   ARGV[10+2n]..           snapshot fields to delete
--   then, where r > 0       the r results, how many bytes of results are kept, and for how many milliseconds
-- Reply
--   The time of this server in Unix milliseconds if the batch is in the stream, also if an earlier call wrote it and its reply was
--   lost. "LATE" if it was on its way for too long: what it says may be wrong by now. "INCOMPLETE" if the snapshot is not what the
--   last call left: it lacks records, or says another position. Otherwise the id of the stream's last entry: it is not the
--   position before this batch, because another owner has opened an epoch or data was lost. Then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: no reader sees a snapshot that lacks a change up to the position that it says, or
--   that is ahead of the stream, and no market leaves the offer without its results being kept.

local epoch, seq = ARGV[1], tonumber(ARGV[2])
local id = epoch .. '-' .. ARGV[2]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
if top == id and last[1][2][2] == ARGV[3] then
  return now_ms
end
if top ~= epoch .. '-' .. string.format('%.0f', seq - 1) then
  return top
end
local not_after_ms = tonumber(ARGV[6])
if not_after_ms > 0 and now_ms > not_after_ms then
  return 'LATE'
end
if redis.call('HGET', KEYS[2], 'whole') ~= redis.call('HLEN', KEYS[2]) .. '@' .. epoch .. '-' .. ARGV[7] then
  return 'INCOMPLETE'
end
redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[4], id, 'b', ARGV[3], 'd', ARGV[5])
local fields = tonumber(ARGV[9])
local first = 10
local after = first + 2 * fields
-- unpack() is limited to about 8,000 values.
for start = first, after - 1, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, after - 1)))
end
local results = math.max(#KEYS - 3, 0)
local deleted = results > 0 and #ARGV - results - 2 or #ARGV
for start = after, deleted, 2000 do
  redis.call('HDEL', KEYS[2], unpack(ARGV, start, math.min(start + 1999, deleted)))
end
if after > first or deleted >= after or ARGV[8] ~= ARGV[7] then
  redis.call('HSET', KEYS[2], 'whole', redis.call('HLEN', KEYS[2]) .. '@' .. epoch .. '-' .. ARGV[8])
end
if results == 0 then
  return now_ms
end

-- The kept results are listed as '<bytes>:<key>' by the time they were written. The first of the list is their sum, as the score of
-- 'sum', which is less than any time.
local list, limit, kept_ms = KEYS[#KEYS], tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
local entry_bytes = 300 -- what Redis needs for a key and its place in the list, about
local listed = redis.pcall('ZSCORE', list, 'sum')
if type(listed) == 'table' then
  -- It was overwritten with another type.
  redis.call('UNLINK', list)
  listed = 0
end
local sum = tonumber(listed or 0)
for result = 1, results do
  local key, value = KEYS[2 + result], ARGV[deleted + result]
  local before = redis.pcall('STRLEN', key)
  if type(before) == 'number' and redis.call('ZREM', list, before .. ':' .. key) == 1 then
    sum = sum - before - entry_bytes
  end
  redis.call('SET', key, value, 'PX', kept_ms)
  redis.call('ZADD', list, now_ms, #value .. ':' .. key)
  sum = sum + #value + entry_bytes
end
redis.call('ZADD', list, sum, 'sum')
-- At most so many at a time, so that others are not kept waiting after the limit was lowered.
for _ = 1, results + 1000 do
  local oldest = redis.call('ZRANGE', list, 1, 1, 'WITHSCORES')
  if not oldest[1] or (sum <= limit and oldest[2] + kept_ms > now_ms) then
    break
  end
  local size, key = string.match(oldest[1], '^(%d+):(.*)$')
  redis.call('ZREM', list, oldest[1])
  if key then
    redis.call('DEL', key)
    sum = sum - size - entry_bytes
  end
end
redis.call('ZADD', list, sum, 'sum')
redis.call('PEXPIRE', list, kept_ms)
return now_ms
