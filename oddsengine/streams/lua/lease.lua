-- Writes a member's value, carries out the operations that still fit, and returns the whole table.
--
-- Keys
--   KEYS[1]    the hash of the members' values
--   KEYS[2]    the hash of the items' entries
-- Types of the keys
--   hash hash
-- Arguments
--   ARGV[1]    the member
--   ARGV[2]    its value, JSON with a number `beat` that grows; empty: it leaves
--   ARGV[3]..  five for each operation: item, expected entry, new entry, member that it relies on, expected value of that member.
--              An empty entry or value is none; without an item, the member is removed
-- Reply
--   The member's value before, "" if it had none; the members with their values; the items with their entries.
--   A call that comes after a later one of the same member changes nothing.
-- Atomicity
--   Redis runs a script without interruption: of two members that want the same item, the second finds another entry than it
--   expected, and nothing is changed for it. Nothing here depends on the server's clock.

local function beat(value)
  return tonumber(string.match(value, '"beat":(%d+)') or '0')
end

local previous = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local operations = 3
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
elseif beat(ARGV[2]) >= beat(previous) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
else
  operations = #ARGV + 1
end
for first = operations, #ARGV, 5 do
  local item, expected, new, member, value = unpack(ARGV, first, first + 4)
  local fits = member == '' or (redis.call('HGET', KEYS[1], member) or '') == value
  if fits and item == '' then
    redis.call('HDEL', KEYS[1], member)
  elseif fits and (redis.call('HGET', KEYS[2], item) or '') == expected then
    if new == '' then
      redis.call('HDEL', KEYS[2], item)
    else
      redis.call('HSET', KEYS[2], item, new)
    end
  end
end
return {previous, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
