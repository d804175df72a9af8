-- Gives the log the epoch ARGV[2] if it has ARGV[1], or makes it with that if there is none.
if not exists() then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[2], '0', 'MKSTREAM', 'ENTRIESREAD', 0)
end
local epoch, aged, aged_count = group()
if epoch == ARGV[1] then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[2], aged, 'ENTRIESREAD', aged_count)
  redis.call('XGROUP', 'DESTROY', LOG, 'sse:' .. ARGV[1])
end
return look()
