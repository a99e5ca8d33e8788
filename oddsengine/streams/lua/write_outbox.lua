-- Notes what was seen, and writes the events that say so to the outbox of webhooks.
--
-- Keys
--   KEYS[1]    the outbox, a stream; its ids are `<number>-0`, without holes
--   KEYS[2]    what was noted, a hash; its field `seq` is the number of the outbox's last entry
-- Types of the keys
--   stream hash
-- Arguments
--   ARGV[1]    how many entries the outbox keeps, approximately
--   ARGV[2]..  three for each note: the field, its new value, and the entry. An empty field is no note: there is only an entry. An
--              empty value deletes the field. An empty entry is none
-- Reply
--   the number of the outbox's last entry
-- Atomicity
--   Redis runs a script without interruption. A note that is there already has no entry: so what is written twice, because an
--   answer was lost or there are two writers for a moment, is one event.

local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local seq = math.max(
  tonumber(redis.call('HGET', KEYS[2], 'seq') or '0') or 0,
  top[1] and tonumber(string.match(top[1][1], '^(%d+)-')) or 0
)
for first = 2, #ARGV, 3 do
  local field, value, entry = unpack(ARGV, first, first + 2)
  local is_news = field == '' or (redis.call('HGET', KEYS[2], field) or '') ~= value
  if is_news and field ~= '' then
    if value == '' then
      redis.call('HDEL', KEYS[2], field)
    else
      redis.call('HSET', KEYS[2], field, value)
    end
  end
  if is_news and entry ~= '' then
    seq = seq + 1
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], string.format('%.0f-0', seq), 'e', entry)
  end
end
redis.call('HSET', KEYS[2], 'seq', string.format('%.0f', seq))
return seq
