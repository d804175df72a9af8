-- Takes what is older than ARGV[1] milliseconds, and what is beyond about ARGV[2] bytes.
if not exists() then
  return false
end
local epoch = group()
if not epoch then
  return false
end
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
-- Backwards from before the first entry Redis would go through the whole stream.
local first = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
if first and tonumber(string.match(first[1], '^%d+')) < oldest then
  local id = string.format('%.0f-0', oldest)
  local last = redis.call('XREVRANGE', LOG, '(' .. id, '-', 'COUNT', 1)[1]
  if last then
    redis.call('XTRIM', LOG, 'MINID', '=', id)
    redis.call('XGROUP', 'SETID', LOG, 'sse:' .. epoch, last[1], 'ENTRIESREAD', gone())
  end
end
-- Whoever emptied the log, the last entry that went is known.
if redis.call('XLEN', LOG) == 0 then
  local stream = fields(redis.call('XINFO', 'STREAM', LOG))
  redis.call('XGROUP', 'SETID', LOG, 'sse:' .. epoch, stream['last-generated-id'], 'ENTRIESREAD', gone())
  return true
end
-- Not every user may ask for it.
local bytes = redis.pcall('MEMORY', 'USAGE', LOG)
if type(bytes) == 'number' and bytes > tonumber(ARGV[2]) then
  redis.call('XTRIM', LOG, 'MAXLEN', '~', math.floor(redis.call('XLEN', LOG) * ARGV[2] / bytes))
end
return true
