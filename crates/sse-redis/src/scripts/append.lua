-- Appends the payload ARGV[1] unless that was done under the key ARGV[2] within the last ARGV[3] milliseconds; about ARGV[4] entries are kept.
if not exists() then
  return false
end
local epoch = group()
if not epoch then
  return redis.error_reply('FOREIGN a stream that is none of ours')
end
local known = redis.call('GET', KEYS[2])
if known then
  local of, id = string.match(known, '^(%w+) (%d+%-%d+)$')
  if of == epoch then
    return {epoch, id, 1}
  end
  -- The log may have lost the entry with the epoch it had then.
  local entry = id and redis.call('XRANGE', LOG, id, id)[1]
  if entry and fields(entry[2])['k'] == ARGV[2] then
    return {epoch, id, 1}
  end
end
local id = redis.call('XADD', LOG, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[4], '*', 'p', ARGV[1], 'k', ARGV[2])
redis.call('SET', KEYS[2], epoch .. ' ' .. id, 'PX', ARGV[3])
return {epoch, id, 0}
