-- Makes the caller the owner of a shard: opens an epoch and replaces the snapshot by the draft that the caller has written.
--
-- Keys
--   KEYS[1]    the shard's change stream
--   KEYS[2]    the shard's snapshot hash
--   KEYS[3]    the draft, written in pieces before
-- Types of the keys
--   stream hash hash
-- Arguments
--   ARGV[1]    the new epoch
--   ARGV[2]    the batch that opens it
--   ARGV[3]    the number of fields of the draft
--   ARGV[4]    names the caller
--   ARGV[5]    the id of the stream's last entry that the draft takes into account; empty for any
--   ARGV[6]    the digest of the batch
--   ARGV[7]    which entry that digest follows
--   ARGV[8]    the time of this server after which the claim is too old, Unix milliseconds; 0 for none
-- Reply
--   "OK", also if an earlier call has opened the epoch and its reply was lost. "INCOMPLETE" if the draft is. "LATE" if the
--   claim was on its way for too long: what the snapshot says may be wrong by now. Otherwise the id of the stream's last entry: it
--   is not the expected one, or its epoch is not below the new one. Then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: followers see the epoch open together with its whole snapshot. From then on every
--   write of an earlier owner is refused, since the stream does not end with that owner's last entry. However large the snapshot,
--   this takes no longer: it is renamed.

local id = ARGV[1] .. '-0'
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if top == id and last[1][2][4] == ARGV[4] then
  return 'OK'
end
local epoch = string.match(top, '^(%d+)-')
if tonumber(epoch) >= tonumber(ARGV[1]) or (ARGV[5] ~= '' and ARGV[5] ~= top) then
  return top
end
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local not_after_ms = tonumber(ARGV[8])
if not_after_ms > 0 and now_ms > not_after_ms then
  return 'LATE'
end
if redis.call('HLEN', KEYS[3]) ~= tonumber(ARGV[3]) then
  return 'INCOMPLETE'
end
-- Of the earlier epochs the last one is kept, for those who have not read its end, and some more where all are short: one process
-- that must not miss an entry may be away while owners come and go.
local oldest = epoch
for _ = 1, redis.call('XLEN', KEYS[1]) <= 5000 and 7 or 0 do
  -- Nothing can be before 0-0, and no interval may say so.
  local before = oldest ~= '0' and redis.call('XREVRANGE', KEYS[1], '(' .. oldest .. '-0', '-', 'COUNT', 1) or {}
  if not before[1] then
    break
  end
  oldest = string.match(before[1][1], '^(%d+)-')
end
local add = {'XADD', KEYS[1], 'MINID', '=', oldest .. '-0', id, 'b', ARGV[2], 'o', ARGV[4], 'd', ARGV[6], 'f', ARGV[7]}
local added = redis.pcall(unpack(add))
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller') and not string.find(added.err, 'exhausted') then
    return added
  end
  -- Entries with higher ids were deleted.
  redis.call('DEL', KEYS[1])
  redis.call(unpack(add))
end
redis.call('UNLINK', KEYS[2])
redis.call('RENAME', KEYS[3], KEYS[2])
redis.call('PERSIST', KEYS[2])
redis.call('HSET', KEYS[2], 'whole', redis.call('HLEN', KEYS[2]) + 1 .. '@' .. id)
return 'OK'
