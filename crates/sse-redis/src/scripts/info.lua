-- Returns the extent of the log. If ARGV[1] is given, adds 1 if the log has this entry, else 0.
local found = look()
if ARGV[1] and found and not found.err then
  found[#found + 1] = #redis.call('XRANGE', LOG, ARGV[1], ARGV[1])
end
return found
