-- Which entry is the ARGV[2]th from ARGV[1] towards the beginning, or the first if there are fewer, and how many that are.
if not exists() then
  return false
end
local found = redis.call('XREVRANGE', LOG, ARGV[1], '-', 'COUNT', ARGV[2])
local last = found[#found]
return {group() or false, #found, last and last[1] or false}
