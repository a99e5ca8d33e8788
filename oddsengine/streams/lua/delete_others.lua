-- Deletes those keys that have another type than they must have.
--
-- Keys
--   KEYS[1]..  the keys
-- Arguments
--   ARGV[1]..  the type of each
-- Reply
--   for each key, the type that it had if it was deleted, else ""
-- Atomicity
--   Redis runs a script without interruption: what was written anew meanwhile, by whoever has noticed it too, is not deleted.

local deleted = {}
for index, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  deleted[index] = ''
  if found ~= 'none' and found ~= ARGV[index] then
    redis.call('UNLINK', key)
    deleted[index] = found
  end
end
return deleted
