-- Writes decisions on the identities of events: into the table of all of them, and as the next entry of their log.
--
-- Keys
--   KEYS[1]    the log, a stream
--   KEYS[2]    the table, a hash; its field `at` is the position of the log's last entry
-- Types of the keys
--   stream hash
-- Arguments
--   ARGV[1]    the position that the writer has read last, as in the table; empty if it has found none
--   ARGV[2]    the position of the new entry
--   ARGV[3]    how many entries the log keeps, approximately
--   ARGV[4]    the decisions; empty: who follows reads the table instead
--   ARGV[5]    the position that the writer has opened an epoch on; empty: it goes on in its epoch
--   ARGV[6]..  field, value, field, value, ..; an empty value removes the field
-- Reply
--   1; 0 if another entry was written since ARGV[1], or the table or the log was lost: then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: who decides without having read everything that was decided writes nothing. No lease
--   and no clock is involved. A log that was lost while the table was not is begun again.

if (redis.call('HGET', KEYS[2], 'at') or '') ~= ARGV[1] then
  return 0
end
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], ARGV[2], 'd', ARGV[4], 'b', ARGV[5])
if type(added) == 'table' and added.err then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local info = string.find(added.err, 'equal or smaller', 1, true) and redis.call('XINFO', 'STREAM', KEYS[1]) or {}
  for field = 1, #info, 2 do
    -- Where its last entries were deleted, to read it again would be of no use.
    if info[field] == 'last-generated-id' and last and info[field + 1] == last[1] then
      return 0
    end
  end
  return added
end
for first = 6, #ARGV, 2 do
  if ARGV[first + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[first])
  else
    redis.call('HSET', KEYS[2], ARGV[first], ARGV[first + 1])
  end
end
redis.call('HSET', KEYS[2], 'at', ARGV[2])
return 1
