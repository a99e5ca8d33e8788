-- Writes a member's value, carries out the operations that still fit, and returns the whole table.
--
-- Keys
--   KEYS[1]    the hash of the members' values
--   KEYS[2]    the hash of the items' entries
-- Arguments
--   ARGV[1]    the member
--   ARGV[2]    its value; empty: it leaves
--   ARGV[3]..  five for each operation: item, expected entry, new entry, member that it relies on, expected value of that member.
--              An empty entry or value is none; without an item, the member is removed
-- Reply
--   1 if the member had a value before, else 0; the members with their values; the items with their entries
-- Atomicity
--   Redis runs a script without interruption: of two members that want the same item, the second finds another entry than it
--   expected, and nothing is changed for it. Nothing here depends on the server's clock.

local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
for first = 3, #ARGV, 5 do
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
return {known, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
