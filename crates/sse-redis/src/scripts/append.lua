-- Appends the payload ARGV[1], unless it was appended under the idempotency key ARGV[2] within the
-- last ARGV[3] milliseconds. Keeps about ARGV[4] entries.
-- KEYS[2] stores the idempotency key. KEYS[3] counts the keys of its group, at most ARGV[5]. KEYS[4],
-- for a key of a user, counts the keys of that user, at most ARGV[6].
if not exists() then
  return false
end
local epoch = group()
if not epoch then
  return redis.error_reply('FOREIGN the key is not a log of this library')
end
local known = redis.call('GET', KEYS[2])
if known then
  local of, id = string.match(known, '^(%w+) (%d+%-%d+)$')
  if of == epoch then
    return {epoch, id, 1}
  end
  -- The log can have lost the entry when its epoch was replaced.
  local entry = id and redis.call('XRANGE', LOG, id, id)[1]
  if entry and fields(entry[2])['k'] == ARGV[2] then
    return {epoch, id, 1}
  end
end

-- Keys are counted in slices of the window. A counter is 'slice here before|slice:count …': its
-- latest slice, the keys in this slice, the keys in all earlier slices, and the keys in each of them.
-- Nothing is added up within a slice, as in nearly all calls. A slice counts until its last key
-- expires.
local SLICES = 12
local slice_ms = ARGV[3] / SLICES
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slice = math.floor(now / slice_ms)

-- Returns the keys in this slice, the keys in earlier slices, and the earlier slices.
local function count(counter)
  local text = redis.call('GET', counter)
  if not text then
    return 0, 0, ''
  end
  local latest, here, before, older = string.match(text, '^(%d+) (%d+) (%d+)|(.*)$')
  if tonumber(latest) == slice then
    return tonumber(here), tonumber(before), older
  end
  local total, kept = 0, {}
  for at, keys in string.gmatch(latest .. ':' .. here .. ' ' .. older, '(%d+):(%d+)') do
    if tonumber(at) >= slice - SLICES then
      total = total + keys
      kept[#kept + 1] = at .. ':' .. keys
    end
  end
  return 0, total, table.concat(kept, ' ')
end

local function add(counter, here, before, older)
  local text = string.format('%.0f %d %d|%s', slice, here + 1, before, older)
  redis.call('SET', counter, text, 'PX', ARGV[3] + slice_ms)
end

-- No room: by which bound (0 of backends, 1 of users, 2 of the user), for how many milliseconds.
local function full(bound, older)
  local oldest = tonumber(string.match(older, '(%d+):%d+$') or slice)
  return {bound, (oldest + SLICES + 1) * slice_ms - now}
end

local own, own_before, own_older
if KEYS[4] then
  own, own_before, own_older = count(KEYS[4])
  if own + own_before >= tonumber(ARGV[6]) then
    return full(2, own_older)
  end
end
local here, before, older = count(KEYS[3])
if here + before >= tonumber(ARGV[5]) then
  return full(KEYS[4] and 1 or 0, older)
end
local id = redis.call('XADD', LOG, 'NOMKSTREAM', 'MAXLEN', '~', ARGV[4], '*', 'p', ARGV[1], 'k', ARGV[2])
redis.call('SET', KEYS[2], epoch .. ' ' .. id, 'PX', ARGV[3])
add(KEYS[3], here, before, older)
if own then
  add(KEYS[4], own, own_before, own_older)
end
return {epoch, id, 0}
