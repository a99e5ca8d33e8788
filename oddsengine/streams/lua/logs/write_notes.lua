-- Appends notes for the history to their stream.
--
-- Keys
--   KEYS[1]    the notes, a stream; its ids are `<begun>-<number>`: when it was begun, Unix milliseconds, and numbers without holes
-- Types of the keys
--   stream
-- Arguments
--   ARGV[1]    how many notes are kept, approximately
--   ARGV[2]..  four for each note: its kind, what it is about, when it was made, its body
-- Reply
--   the id of the last note
-- Atomicity
--   Redis runs a script without interruption. Each note has a digest over that of the one before and its own bytes: so whoever reads
--   the stream finds that it was lost, or has come back with less, whoever writes to it.

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local begun, number, digest
if last then
  begun, number = string.match(last[1], '^(%d+)-(%d+)$')
  number = tonumber(number)
  for field = 1, #last[2], 2 do
    digest = last[2][field] == 'd' and last[2][field + 1] or digest
  end
else
  local clock = redis.call('TIME')
  begun, number = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)), 0
end
for first = 2, #ARGV, 4 do
  local kind, name, at, body = unpack(ARGV, first, first + 3)
  number = number + 1
  digest = redis.sha1hex((digest or '') .. kind .. ' ' .. name .. ' ' .. at .. ' ' .. body)
  local id = begun .. '-' .. string.format('%.0f', number)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], id, 'k', kind, 'n', name, 't', at, 'b', body, 'd', digest)
end
return begun .. '-' .. string.format('%.0f', number)
