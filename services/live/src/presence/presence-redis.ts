/**
 * Viewers over all replicas. Each replica reports its own of every item it shows: changes soon, and all as
 * a heartbeat, which also brings what others have and keeps its entry alive. One report of an item is under
 * way at a time, and what it said is said again until Redis has answered: reports say what is, not what is
 * to be added, so one that had its effect and lost its answer does no harm.
 *
 *   unknown ──first report answered──→ known ──last viewer left, answered──→ forgotten
 *      ↑───────Redis does not know this replica───────│
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { type Redis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import { REPORT, REPORT_SHA, reportArguments, UNKNOWN_REPLICA } from './presence-script.ts'
import { createViewers, GATHER_MS, type OnCount, type Presence, type Viewers } from './presence.ts'

/** How soon others' changes are seen here. */
const HEARTBEAT_MS = 3_000
/** Three heartbeats: one that is late or lost makes nobody disappear. */
const TTL_MS = 9_000
/** Items in one round trip: 3 ms of Redis's time, at 33 µs each whatever the number of viewers. */
const REPORTS_PER_BATCH = 100
/** Users in one round trip: a replica with many that Redis does not know must not hold up all others. */
const USERS_PER_BATCH = 2_000
/** A goodbye is a courtesy: without it the viewers are gone after {@link TTL_MS}. */
const CLOSE_LIMIT_MS = 1_000

export type RedisPresenceOptions = {
  /** The caller disconnects it, after `close`. */
  redis: Redis
  log: Log
  onCount: OnCount
  keyPrefix?: string
  /** Of this run of the process, not of its predecessor too; without `<` and `>`. Random when left out. */
  replicaId?: string
  heartbeatMs?: number
  /** How long the viewers of a replica that reports no more are counted, and others' here without Redis. */
  ttlMs?: number
}

type Item = {
  id: string
  viewers: Viewers
  /** Users who came or went, and Redis has not answered that yet. */
  unsent: Set<string>
  /** Number of the last report that was answered; 0: Redis does not know of this replica here. */
  answered: number
  /** What Redis answered last, and when. */
  total: number
  totalAtMs: number
  said?: number
}

type Report = {
  item: Item
  number: number
  users: string[]
  gone: boolean
  /** There are users for another report. */
  more: boolean
}

type Reporting = Required<Omit<RedisPresenceOptions, 'keyPrefix'>> & {
  keyOf: (itemId: string) => string
  items: Map<string, Item>
  /** Items to be reported. */
  due: Set<string>
  /** Number of the last batch of reports. */
  number: number
  busy: boolean
  running: Promise<void>
  saidRefused: boolean
  closed: boolean
}

export const presenceKey = (itemId: string): string => `live:{${itemId}}:viewers`

export function createRedisPresence(options: RedisPresenceOptions): Presence {
  const { keyPrefix = '', ...given } = options
  const reporting: Reporting = {
    replicaId: randomBytes(6).toString('hex'),
    heartbeatMs: HEARTBEAT_MS,
    ttlMs: TTL_MS,
    ...given,
    keyOf: (itemId) => `${keyPrefix}${presenceKey(itemId)}`,
    items: new Map(),
    due: new Set(),
    number: 0,
    busy: false,
    running: Promise.resolve(),
    saidRefused: false,
    closed: false,
  }
  const { items, due, heartbeatMs } = reporting
  const changed = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  const reportAll = (itemIds: Iterable<string>): void => {
    for (const itemId of itemIds) due.add(itemId)
    void reportAllDue(reporting)
  }
  const heartbeat = setInterval(() => reportAll(items.keys()), heartbeatMs).unref()
  const noteChange = (item: Item, userId: string): void => {
    if (userId !== '') item.unsent.add(userId)
    changed.add(item.id)
    timer ??= setTimeout(() => {
      timer = undefined
      reportAll(changed)
      changed.clear()
    }, GATHER_MS).unref()
  }

  return {
    join: (itemId, userId) => {
      if (reporting.closed) return
      const item = items.get(itemId) ?? newItem(itemId)
      items.set(itemId, item)
      if (item.viewers.join(userId)) noteChange(item, userId)
    },
    leave: (itemId, userId) => {
      const item = items.get(itemId)
      if (!reporting.closed && item?.viewers.leave(userId)) noteChange(item, userId)
    },
    count: (itemId) => {
      const item = items.get(itemId)
      return item ? countOf(reporting, item) : 0
    },
    close: async () => {
      clearInterval(heartbeat)
      clearTimeout(timer)
      await sayGoodbye(reporting)
    },
  }
}

function newItem(id: string): Item {
  const viewers = createViewers()
  return { id, viewers, unsent: new Set(), answered: 0, total: 0, totalAtMs: -Infinity }
}

/** Others are taken to be there as long as Redis would take this replica to be. */
function countOf({ ttlMs }: Reporting, item: Item): number {
  const isRecent = performance.now() - item.totalAtMs <= ttlMs
  return Math.max(item.viewers.count(), isRecent ? item.total : 0)
}

/** Reports what is due, and what becomes due meanwhile. Never rejects. */
function reportAllDue(reporting: Reporting): Promise<void> {
  if (!reporting.busy) {
    reporting.busy = true
    reporting.running = reportDue(reporting)
  }
  return reporting.running
}

async function reportDue(reporting: Reporting): Promise<void> {
  try {
    let isAway = false
    while (reporting.due.size > 0) {
      const reports = nextBatch(reporting)
      // A Redis that hangs takes 200 ms to say nothing: one batch a heartbeat finds out.
      const answers: readonly unknown[] = isAway ? [] : await send(reporting, reports)
      isAway = answers.every((answer) => answer === undefined)
      for (const [index, sent] of reports.entries()) {
        settle(reporting, sent, answers[index])
        tell(reporting, sent.item)
      }
    }
  } finally {
    reporting.busy = false
  }
}

function nextBatch(reporting: Reporting): Report[] {
  const { due, items } = reporting
  reporting.number += 1
  const reports: Report[] = []
  let room = USERS_PER_BATCH
  for (const itemId of due) {
    if (reports.length === REPORTS_PER_BATCH || room === 0) break
    due.delete(itemId)
    const item = items.get(itemId)
    if (!item) continue
    const users = item.unsent.values().take(room).toArray()
    for (const userId of users) item.unsent.delete(userId)
    room -= users.length
    const more = item.unsent.size > 0
    const gone = item.viewers.count() === 0 && !more
    reports.push({ item, number: reporting.number, users, gone, more })
  }
  return reports
}

/** Undefined for a report that was not answered. */
async function send(reporting: Reporting, reports: readonly Report[]): Promise<unknown[]> {
  const { redis, replicaId, ttlMs, keyOf } = reporting
  if (!redisUp(redis)) return []
  // Loaded with each batch: nothing has to be known of what Redis has lost.
  const pipeline = redis.pipeline().script('LOAD', REPORT)
  for (const { item, number, users, gone } of reports) {
    const args = reportArguments({
      replicaId,
      ttlMs,
      number,
      answered: item.answered,
      gone,
      anonymous: item.viewers.anonymous(),
      joined: users.filter((userId) => item.viewers.has(userId)),
      left: users.filter((userId) => !item.viewers.has(userId)),
    })
    pipeline.evalsha(REPORT_SHA, 1, keyOf(item.id), ...args)
  }
  const results = (await pipeline.exec().catch(() => undefined)) ?? []
  const [, ...answers] = results
  noteRefusal(reporting, answers.find(([error]) => error)?.[0])
  return answers.map(([error, answer]) => (error ? undefined : answer))
}

/** Draws the consequences of a report's answer. */
function settle(reporting: Reporting, report: Report, answer: unknown): void {
  const { item, number, users, gone, more } = report
  const { items, due } = reporting
  if (items.get(item.id) !== item) return
  const isWatched = item.viewers.count() > 0
  if (typeof answer !== 'number') {
    for (const userId of users) item.unsent.add(userId)
    // Without a word from here Redis forgets by itself.
    if (!isWatched) items.delete(item.id)
  } else if (gone || answer === UNKNOWN_REPLICA) {
    if (!isWatched) {
      items.delete(item.id)
      return
    }
    if (item.answered > 0) due.add(item.id)
    item.answered = 0
    item.unsent = new Set(item.viewers.userIds())
  } else {
    item.answered = number
    item.total = answer
    item.totalAtMs = performance.now()
    if (more) due.add(item.id)
  }
}

function tell(reporting: Reporting, item: Item): void {
  if (reporting.closed || item.viewers.count() === 0) return
  const count = countOf(reporting, item)
  if (count === item.said) return
  item.said = count
  reporting.onCount(item.id, count)
}

/** That the connection is unavailable is in the log already; that Redis refuses is said once until it does not. */
function noteRefusal(reporting: Reporting, error: Error | null | undefined): void {
  const isRefused = error?.name === 'ReplyError'
  if (isRefused && !reporting.saidRefused) {
    reporting.log.warn({ reason: messageOf(error) }, 'Redis refuses viewer counts')
  }
  if (isRefused || !error) reporting.saidRefused = isRefused
}

async function sayGoodbye(reporting: Reporting): Promise<void> {
  const { items, due } = reporting
  reporting.closed = true
  for (const itemId of items.keys()) {
    // Nobody there, and never reported: Redis drops whatever it has.
    items.set(itemId, newItem(itemId))
    due.add(itemId)
  }
  await Promise.race([reportAllDue(reporting), sleep(CLOSE_LIMIT_MS, undefined, { ref: false })])
  due.clear()
  items.clear()
}
