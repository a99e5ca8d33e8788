-- Appends to a feed's ingest stream, and returns which snapshot was last asked for.
--
-- Keys
--   KEYS[1]    the stream
--   KEYS[2]    the number of the last snapshot that was asked for
-- Types of the keys
--   stream string
-- Arguments
--   ARGV[1]    the writer's term
--   ARGV[2]    seq of the entry; 0 opens the term
--   ARGV[3]    the entry
--   ARGV[4]    the id of the oldest entry that the stream keeps, approximately
--   ARGV[5]    the time of this server after which the entry is too old, Unix milliseconds; 0 for none
-- Reply
--   "OK" if the entry is in the stream, also if an earlier call wrote it and its reply was lost; otherwise the id of the stream's
--   last entry, because another writer has opened a term or data was lost, and nothing is written. "LATE" if it was on its way for
--   too long: nothing is written either. Then the number of the snapshot, and the time of this server in Unix milliseconds.
-- Atomicity
--   Redis runs a script without interruption: two writers never write in one term, and the entries of a term have no holes.

local id = ARGV[1] .. '-' .. ARGV[2]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
local wanted = string.match(redis.call('GET', KEYS[2]) or '0', '^%d+$') or '0'
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
if top == id and last[1][2][2] == ARGV[3] then
  return {'OK', wanted, now_ms}
end
local fits
if ARGV[2] == '0' then
  fits = tonumber(string.match(top, '^(%d+)-')) < tonumber(ARGV[1])
else
  fits = top == ARGV[1] .. '-' .. string.format('%.0f', tonumber(ARGV[2]) - 1)
end
if not fits then
  return {top, wanted, now_ms}
end
local not_after_ms = tonumber(ARGV[5])
if not_after_ms > 0 and now_ms > not_after_ms then
  return {'LATE', wanted, now_ms}
end
redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[4], id, 'b', ARGV[3])
return {'OK', wanted, now_ms}
