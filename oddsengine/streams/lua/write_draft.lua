-- Writes a piece of a draft: a snapshot beside the one in use.
--
-- Keys
--   KEYS[1]    the draft
-- Types of the keys
--   hash
-- Arguments
--   ARGV[1]    "1" for the first piece, which replaces what is there
--   ARGV[2]    for how many milliseconds the whole is kept from now on
--   ARGV[3]..  field, value, field, value, ..
-- Reply
--   "OK". May be repeated.
-- Atomicity
--   Redis runs a script without interruption: there is never a draft that does not expire.

if ARGV[1] == '1' then
  redis.call('UNLINK', KEYS[1])
end
-- unpack() is limited to about 8,000 values.
for start = 3, #ARGV, 2000 do
  redis.call('HSET', KEYS[1], unpack(ARGV, start, math.min(start + 1999, #ARGV)))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'OK'
