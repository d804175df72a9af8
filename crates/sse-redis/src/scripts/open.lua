-- Creates the log with the epoch ARGV[1] if it does not exist.
if not exists() then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[1], '0', 'MKSTREAM', 'ENTRIESREAD', 0)
elseif not group() and redis.call('XLEN', LOG) == 0 then
  redis.call('XGROUP', 'CREATE', LOG, 'sse:' .. ARGV[1], '$', 'ENTRIESREAD', gone())
end
return look()
