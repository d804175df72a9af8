-- The log is one stream, and everything about it is kept with it: a consumer group without consumers is named for the epoch. Its last delivered
-- id is the last entry that trimming by age took, and its number of entries read is how many entries were gone then. So whatever happens to the
-- stream happens to these too.
local LOG = KEYS[1]

local function fields(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

local function group()
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', LOG)) do
    local found = fields(flat)
    local epoch = string.match(found['name'], '^sse:(%w+)$')
    if epoch then
      return epoch, found['last-delivered-id'], found['entries-read'] or 0
    end
  end
end

local function exists()
  return redis.call('EXISTS', LOG) == 1
end

local function gone()
  local stream = fields(redis.call('XINFO', 'STREAM', LOG))
  return stream['entries-added'] - stream['length']
end

-- What there is, or nothing.
local function look()
  if not exists() then
    return false
  end
  local epoch, aged, aged_count = group()
  if not epoch then
    return redis.error_reply('FOREIGN the key is not a log of this library')
  end
  local stream = fields(redis.call('XINFO', 'STREAM', LOG))
  return {
    epoch, aged, aged_count, stream['entries-added'] - stream['length'], stream['length'],
    stream['recorded-first-entry-id'], stream['last-generated-id'], stream['max-deleted-entry-id'],
  }
end
