-- Removes entries older than ARGV[1] milliseconds, and the oldest entries beyond about ARGV[2] bytes.
if not exists() then
  return false
end
local epoch = group()
if not epoch then
  return false
end
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
-- A backward search from before the first entry would make Redis go through the whole stream.
local first = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
if first and tonumber(string.match(first[1], '^%d+')) < oldest then
  local id = string.format('%.0f-0', oldest)
  local last = redis.call('XREVRANGE', LOG, '(' .. id, '-', 'COUNT', 1)[1]
  if last then
    redis.call('XTRIM', LOG, 'MINID', '=', id)
    redis.call('XGROUP', 'SETID', LOG, 'sse:' .. epoch, last[1], 'ENTRIESREAD', gone())
  end
end
-- The last removed entry is known, whoever emptied the log.
if redis.call('XLEN', LOG) == 0 then
  local stream = fields(redis.call('XINFO', 'STREAM', LOG))
  redis.call('XGROUP', 'SETID', LOG, 'sse:' .. epoch, stream['last-generated-id'], 'ENTRIESREAD', gone())
  return true
end
-- Not every ACL user may send this command.
local bytes = redis.pcall('MEMORY', 'USAGE', LOG)
if type(bytes) == 'number' and bytes > tonumber(ARGV[2]) then
  redis.call('XTRIM', LOG, 'MAXLEN', '~', math.floor(redis.call('XLEN', LOG) * ARGV[2] / bytes))
end
return true
