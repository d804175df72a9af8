-- Finds the entry that is ARGV[2] - 1 entries before ARGV[1], or the first entry. Returns the epoch,
-- the number of entries in between with both ends, and the id of the entry.
if not exists() then
  return false
end
local found = redis.call('XREVRANGE', LOG, ARGV[1], '-', 'COUNT', ARGV[2])
local last = found[#found]
return {group() or false, #found, last and last[1] or false}
