-- Deletes those streams whose last entries were deleted: an entry would have to be above the ones that nobody can see any more.
--
-- Keys
--   KEYS[1]..  the streams
-- Reply
--   for each key, the id of the last entry that it had if it was deleted, else ""
-- Atomicity
--   Redis runs a script without interruption: what was written anew meanwhile, by whoever has noticed it too, is not deleted.

local deleted = {}
for index, key in ipairs(KEYS) do
  deleted[index] = ''
  local info = redis.pcall('XINFO', 'STREAM', key)
  local top = info.err or redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  for field = 1, info.err and 0 or #info, 2 do
    if info[field] == 'last-generated-id' and info[field + 1] ~= (top and top[1]) then
      redis.call('UNLINK', key)
      deleted[index] = info[field + 1]
    end
  end
end
return deleted
