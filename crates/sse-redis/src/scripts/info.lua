-- With whether there is an entry ARGV[1], if that is asked.
local found = look()
if ARGV[1] and found and not found.err then
  found[#found + 1] = #redis.call('XRANGE', LOG, ARGV[1], ARGV[1])
end
return found
