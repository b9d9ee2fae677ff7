/**
 * The report of one replica about one item, as a script: it either counts as a whole or not at all, and
 * Redis's clock says who has expired. An item is one hash, so Redis can lose it only as a whole:
 *
 *   ''       the replicas that show the item, as JSON: id → when it expires, anonymous viewers, last report
 *   user id  the replicas on which this user is, as `<replica><replica>…`; no user id is empty
 *
 * A user is a field once, so the count needs no union: a report costs what has changed, not what there is.
 * Whoever reports first after a replica has expired takes its users away, which reads the whole hash. The
 * hash lives as long as its last replica.
 */
import { createHash } from 'node:crypto'

/** The answer to a replica that Redis does not know (any more): it must begin with a first report. */
export const UNKNOWN_REPLICA = -1

export type PresenceReport = {
  replicaId: string
  ttlMs: number
  /** Rises with each report. One that is overtaken by a later one has no effect. */
  number: number
  /**
   * Number of the last report of this item that was answered. 0: none was, and whatever Redis has of this
   * replica is dropped. So it is when Redis has gone back to before that report: a failover may do that.
   */
  answered: number
  /** The replica shows the item no longer. Its users have all been reported as left, or `answered` is 0. */
  gone: boolean
  anonymous: number
  joined: readonly string[]
  left: readonly string[]
}

export const REPORT = `
local key, me, ttl, number = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local answered, gone, anonymous = tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])
local usersAt, leftAt = 8, 8 + tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function without(on, id)
  local from, to = string.find(on, '<' .. id .. '>', 1, true)
  return from and string.sub(on, 1, from - 1) .. string.sub(on, to + 1) or on
end
local function put(user, on)
  if on == '' then redis.call('HDEL', key, user) else redis.call('HSET', key, user, on) end
end

local replicas = cjson.decode(redis.call('HGET', key, '') or '{}')
local mine = replicas[me]
if mine and mine.number >= number then return ${UNKNOWN_REPLICA} end

local dropped = {}
for id, replica in pairs(replicas) do
  local stale = id == me and (answered == 0 or replica.number < answered)
  if stale or replica.expires <= now then table.insert(dropped, id) end
end
if #dropped > 0 then
  local held = redis.call('HGETALL', key)
  for i = 1, #held, 2 do
    local on = held[i + 1]
    if held[i] ~= '' then
      for _, id in ipairs(dropped) do on = without(on, id) end
      if on ~= held[i + 1] then put(held[i], on) end
    end
  end
  for _, id in ipairs(dropped) do replicas[id] = nil end
end

local unknown = answered > 0 and not replicas[me]
if not unknown then
  for i = usersAt, #ARGV do
    local on = redis.call('HGET', key, ARGV[i]) or ''
    local others = without(on, me)
    if i >= leftAt then
      if on ~= others then put(ARGV[i], others) end
    elseif on == others then
      put(ARGV[i], on .. '<' .. me .. '>')
    end
  end
  replicas[me] = not gone and { expires = now + ttl, anonymous = anonymous, number = number } or nil
end
if next(replicas) == nil then
  redis.call('DEL', key)
else
  redis.call('HSET', key, '', cjson.encode(replicas))
  if replicas[me] then redis.call('PEXPIRE', key, ttl) end
end
if unknown then return ${UNKNOWN_REPLICA} end

local viewers = math.max(redis.call('HLEN', key) - 1, 0)
for _, replica in pairs(replicas) do viewers = viewers + replica.anonymous end
return viewers`

export const REPORT_SHA = createHash('sha1').update(REPORT).digest('hex')

/** Everything after the key. */
export function reportArguments(report: PresenceReport): (string | number)[] {
  const { replicaId, ttlMs, number, answered, gone, anonymous, joined, left } = report
  const facts = [replicaId, ttlMs, number, answered, gone ? 1 : 0, anonymous, joined.length]
  return [...facts, ...joined, ...left]
}
