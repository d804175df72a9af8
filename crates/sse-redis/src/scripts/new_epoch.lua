-- Replaces the epoch ARGV[1] of the log by ARGV[2]. Creates a log with the epoch ARGV[2] if none
-- exists.
if not exists() then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[2], '0', 'MKSTREAM', 'ENTRIESREAD', 0)
end
local epoch, aged, aged_count = group()
if epoch == ARGV[1] then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[2], aged, 'ENTRIESREAD', aged_count)
  redis.call('XGROUP', 'DESTROY', LOG, 'sse:' .. ARGV[1])
end
return look()
