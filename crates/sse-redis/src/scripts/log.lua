-- The log is one stream. A consumer group without consumers, named after the epoch, stores the other
-- facts: its last delivered id is the last entry that was trimmed by age, and its number of entries
-- read is the number of entries that were gone then. So these facts share the fate of the stream.
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

-- Returns the extent of the log, or false if the log does not exist.
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
