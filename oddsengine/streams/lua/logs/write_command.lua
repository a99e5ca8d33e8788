-- Writes the present state of a command: into the table of all commands, and as the next entry of their log.
--
-- Keys
--   KEYS[1]    the log of commands, a stream
--   KEYS[2]    the table of commands, a hash; its field `seq` is the number of the log's last entry
--   KEYS[3]    what the caller remembers a request by; absent where there is nothing to remember
-- Types of the keys
--   stream hash string
-- Arguments
--   ARGV[1]    the field of the command in the table
--   ARGV[2]    the state that it has there now; empty for a new one
--   ARGV[3]    its new state
--   ARGV[4]    how many commands the table may hold
--   ARGV[5]    how many entries the log keeps, approximately
--   ARGV[6]    the digest of the log's last entry; empty if it has none
--   ARGV[7]    the digest of this one
--   ARGV[8]    what the names of people in it are hidden with in that
--   ARGV[9]    when this step was taken, Unix milliseconds: later than that of every entry before
--   ARGV[10]   the newest such time that the caller knows; empty if it knows none
--   ARGV[11]   what KEYS[3] is set to
--   ARGV[12]   for how many milliseconds
--   Without arguments only the time is asked for.
-- Reply
--   {"OK", the number of the entry}. {"REPEATED", the value of KEYS[3]} if that is set: then nothing is written. {"CHANGED"} if
--   the command is not in the state ARGV[2]. {"FULL"} if the table is. {"BEHIND", its digest, its time} if the last entry has another
--   digest, or is not older; its time is empty if it says none: then the table has to be read for the newest.
--   {"TIME", Unix milliseconds by the clock of this server}.
-- Atomicity
--   Redis runs a script without interruption: who reads the table and then the log after `seq` misses nothing.

if #ARGV == 0 then
  local clock = redis.call('TIME')
  return {'TIME', clock[1] * 1000 + math.floor(clock[2] / 1000)}
end
if KEYS[3] then
  local known = redis.call('GET', KEYS[3])
  if known then
    return {'REPEATED', known}
  end
end
if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then
  return {'CHANGED'}
end
if ARGV[2] == '' and redis.call('HLEN', KEYS[2]) > tonumber(ARGV[4]) then
  return {'FULL'}
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and tonumber(string.match(last[1][1], '^(%d+)-')) or 0
local fields = last[1] and last[1][2] or {}
local digest, newest = '', ''
for field = 1, #fields, 2 do
  if fields[field] == 'd' then
    digest = fields[field + 1]
  elseif fields[field] == 't' then
    newest = fields[field + 1]
  end
end
local after = tonumber(newest) or tonumber(ARGV[10])
if not after and redis.call('HLEN', KEYS[2]) == 0 then
  after = 0
end
if digest ~= ARGV[6] or not after or tonumber(ARGV[9]) <= after then
  return {'BEHIND', digest, newest}
end
local seq = math.max(tonumber(redis.call('HGET', KEYS[2], 'seq') or '0') or 0, top) + 1
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], string.format('%.0f-0', seq), 'c', ARGV[3], 's', ARGV[8], 'd', ARGV[7], 't', ARGV[9])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3], 'seq', string.format('%.0f', seq))
if KEYS[3] then
  redis.call('SET', KEYS[3], ARGV[11], 'PX', ARGV[12])
end
return {'OK', seq}
