-- Reads where a shard's stream ends, and what its snapshot says of itself.
--
-- Keys
--   KEYS[1]    the shard's change stream
--   KEYS[2]    the shard's snapshot hash
-- Types of the keys
--   stream hash
-- Reply
--   The id of the stream's last entry ("0-0" if it is empty), the number of fields of the snapshot, its field `whole` ("" if it has
--   none), the run id of the server ("" if it may not be asked for), the digest of the last entry ("" if it has none), and the time
--   of the server in Unix milliseconds.
-- Atomicity
--   Redis runs a script without interruption: all of it is of one moment, and of one server.

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local server = redis.pcall('INFO', 'server')
local run = type(server) == 'string' and string.match(server, 'run_id:(%x+)') or ''
local whole = redis.call('HGET', KEYS[2], 'whole') or ''
local digest = ''
local fields = last[1] and last[1][2] or {}
for field = 1, #fields, 2 do
  if fields[field] == 'd' then
    digest = fields[field + 1]
  end
end
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
return {last[1] and last[1][1] or '0-0', redis.call('HLEN', KEYS[2]), whole, run, digest, now_ms}
