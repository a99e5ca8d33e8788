-- Writes commands again that Redis has lost, and makes all who follow the log read the table again.
--
-- Keys
--   KEYS[1]    the log of commands, a stream
--   KEYS[2]    the table of commands, a hash; its field `seq` is the number of the log's last entry
-- Types of the keys
--   stream hash
-- Arguments
--   ARGV[1]    the `seq` that the caller has found; empty if there was none
--   ARGV[2]    the number of the last entry that the caller has obeyed
--   ARGV[3]    the digest of this entry of the log
--   ARGV[4]..  field, state, field, state, ..
-- Reply
--   "OK", or "CHANGED" if `seq` is not what the caller has found: then nothing is written.
-- Atomicity
--   Redis runs a script without interruption: a command that is made meanwhile is either in what the caller has found, or makes
--   it look again.

if (redis.call('HGET', KEYS[2], 'seq') or '') ~= ARGV[1] then
  return 'CHANGED'
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and tonumber(string.match(last[1][1], '^(%d+)-')) or 0
local seq = math.max(tonumber(ARGV[2]), top) + 1
for start = 4, #ARGV, 2000 do
  redis.call('HSET', KEYS[2], unpack(ARGV, start, math.min(start + 1999, #ARGV)))
end
redis.call('XADD', KEYS[1], string.format('%.0f-0', seq), 'r', '1', 'd', ARGV[3])
redis.call('HSET', KEYS[2], 'seq', string.format('%.0f', seq))
return 'OK'
