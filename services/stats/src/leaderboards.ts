/**
 * Rankings of all users in Redis: sorted sets of absolute totals, written after each commit; for sums, a set
 * per currency. Redis only ranks; every number shown comes from Postgres. A set counts as complete while the
 * marker key stands, the list of sets names it and the set has its marker member: all are put there at the end
 * of a refill. The key goes when Redis is lost or flushed, the member also when Redis evicts that set alone;
 * whoever could not write takes the key away at the next chance. Without them, queries rank in Postgres. Whoever
 * takes the key away also takes the lock of a refill under way, which then cannot set it: that refill may have
 * read a user before the write that was lost. The first bid in a currency has everything filled again, which
 * lists the set of that currency.
 *
 * Scores are negative totals, so that equal totals rank by user id ascending, as in SQL. Totals only grow:
 * LT keeps a late writer from putting an older total over a newer one. A total that was too high is therefore
 * never written over: a refill begins with empty sets.
 */
import { randomUUID } from 'node:crypto'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { type Redis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import {
  type Ranking,
  readAmountRows,
  type Standing,
  standingsOf,
  type UserRow,
} from './standings.ts'

export type Leaderboards = {
  /** Puts users at their places. Never rejects: what Redis could not take is refilled later. */
  update(standings: readonly Standing[]): Promise<void>
  /** The first `limit` user ids; undefined when only Postgres can tell. */
  top(ranking: Ranking, limit: number): Promise<string[] | undefined>
  /** Fills the sets from Postgres when the marker is missing; one replica at a time. */
  refill(): Promise<void>
  /** Drops the sets: the projections they show are being rebuilt. Rejects when Redis is unavailable. */
  clear(): Promise<void>
}

/** For a process without Redis: Postgres ranks. */
export const noLeaderboards: Leaderboards = {
  update: async () => undefined,
  top: async () => undefined,
  refill: async () => undefined,
  clear: async () => undefined,
}

/** The marker key. */
export const READY = '{leaders}:ready'
const REFILLING = '{leaders}:refilling'
/** The names of the sets that are complete. */
const LISTED = '{leaders}:listed'
const setOf = (ranking: Ranking) => `{leaders}:${ranking}`
const counts = ['bids', 'won'] as const
/** Member of a complete set: no user id is empty, and its score puts it behind everybody. */
const COMPLETE = ''

/** Users per round trip of a refill. */
const REFILL_CHUNK = 2_000
/** A refill that died holds up the next one no longer than this. */
const REFILL_LOCK_MS = 30_000
/** A write lost by a process that died before it could say so is mended no later than this. */
const READY_MS = 3_600_000
/** Sets the markers only for the holder of the lock. */
const FINISH_REFILL = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[2], ARGV[1], 'PX', ARGV[2])
  for set = 4, #KEYS do
    redis.call('sadd', KEYS[3], ARGV[set])
    redis.call('zadd', KEYS[set], '+inf', ARGV[3])
  end
  return redis.call('del', KEYS[1])`

export function createLeaderboards(redis: Redis, sql: Sql, log: Log): Leaderboards {
  /** A write was, or may have been, lost: the marker must go before anybody trusts the sets again. */
  let lost = false
  /** What was listed when this process last looked. */
  let listed: ReadonlySet<Ranking> = new Set()
  /** There is a currency that has no complete set yet: the first bid in it was just counted. */
  let isUnlisted = false
  // What comes back may be a Redis with an older state of itself.
  redis.on('close', () => {
    lost = true
  })

  return {
    async update(standings) {
      try {
        if (!redisUp(redis)) throw new Error('Redis is unavailable')
        const written = await writeStandings(redis, standings)
        if (written.some((ranking) => !listed.has(ranking))) isUnlisted = true
      } catch {
        lost = true
      }
    },

    async top(ranking, limit) {
      if (lost || !redisUp(redis)) return undefined
      return await readTop(redis, ranking, limit).catch(() => undefined)
    },

    async refill() {
      if (!redisUp(redis)) return
      try {
        if (lost) {
          // Forgotten before it is mended: what is lost from here on is another loss.
          lost = false
          await redis.del(READY, REFILLING)
        }
        const before = await readListed(redis)
        listed = before.rankings
        if (before.isComplete && !isUnlisted) return
        const token = randomUUID()
        if ((await redis.set(REFILLING, token, 'PX', REFILL_LOCK_MS, 'NX')) === null) return
        isUnlisted = false
        const rankings = await readRankings(sql)
        await redis.del(READY, LISTED, ...[...rankings, ...listed].map((each) => setOf(each)))
        const users = await writeAll(redis, sql)
        const keys = [REFILLING, READY, LISTED, ...rankings.map((each) => setOf(each))]
        const values = [token, READY_MS, COMPLETE, ...rankings]
        const done = await redis.eval(FINISH_REFILL, keys.length, ...keys, ...values)
        if (done !== 1) return
        listed = new Set(rankings)
        log.info({ users }, 'leaderboards refilled from Postgres')
      } catch (error) {
        lost = true
        log.warn({ reason: messageOf(error) }, 'leaderboards not refilled, trying again')
      }
    },

    async clear() {
      const { rankings } = await readListed(redis)
      await redis.del(
        READY,
        REFILLING,
        LISTED,
        ...[...counts, ...rankings].map((each) => setOf(each)),
      )
    },
  }
}

/** Returns the rankings that were written to. */
async function writeStandings(redis: Redis, standings: readonly Standing[]): Promise<Ranking[]> {
  const scores = new Map<Ranking, string[]>()
  for (const { ranking, userId, total } of standings) {
    const known = scores.get(ranking)
    if (known) known.push(String(-total), userId)
    else scores.set(ranking, [String(-total), userId])
  }
  if (scores.size === 0) return []
  const pipeline = redis.pipeline()
  for (const [ranking, members] of scores) pipeline.zadd(setOf(ranking), 'LT', ...members)
  throwFirstError(await pipeline.exec())
  return [...scores.keys()]
}

/** All that Postgres can rank by. The currencies are few among many rows: each is sought behind the one before. */
async function readRankings(sql: Sql): Promise<Ranking[]> {
  const rows = await sql<{ currency: string }[]>`
    WITH RECURSIVE found AS (
      (SELECT currency FROM user_amounts ORDER BY currency LIMIT 1)
      UNION ALL
      SELECT (SELECT a.currency FROM user_amounts a WHERE a.currency > f.currency
        ORDER BY a.currency LIMIT 1)
      FROM found f WHERE f.currency IS NOT NULL
    )
    SELECT currency FROM found WHERE currency <> ''`
  return [...counts, ...rows.map(({ currency }): Ranking => `amount:${currency}`)]
}

/** Puts all users of Postgres at their places and returns how many. */
async function writeAll(redis: Redis, sql: Sql): Promise<number> {
  let done = 0
  let after = ''
  for (;;) {
    const users = await sql<UserRow[]>`
      SELECT user_id, total_bids, items_won FROM user_stats
      WHERE user_id > ${after} ORDER BY user_id LIMIT ${REFILL_CHUNK}`
    const amounts = await readAmountRows(
      sql,
      users.map((row) => row.user_id),
    )
    await writeStandings(redis, standingsOf(users, amounts))
    done += users.length
    await redis.pexpire(REFILLING, REFILL_LOCK_MS)
    after = users.at(-1)?.user_id ?? ''
    if (users.length < REFILL_CHUNK) return done
  }
}

async function readListed(redis: Redis) {
  const names = await redis.smembers(LISTED)
  const rankings = new Set(names.filter(isRanking))
  const asked = redis.multi().exists(READY)
  for (const ranking of rankings) asked.zscore(setOf(ranking), COMPLETE)
  const [ready, ...marks] = throwFirstError(await asked.exec())
  const hasCounts = counts.every((ranking) => rankings.has(ranking))
  return { rankings, isComplete: ready === 1 && hasCounts && marks.every((mark) => mark !== null) }
}

function isRanking(name: string): name is Ranking {
  return name.startsWith('amount:') || counts.some((ranking) => ranking === name)
}

async function readTop(
  redis: Redis,
  ranking: Ranking,
  limit: number,
): Promise<string[] | undefined> {
  // Together: a flush in between would make an empty set look complete.
  const results = await redis
    .multi()
    .exists(READY)
    .sismember(LISTED, ranking)
    .zscore(setOf(ranking), COMPLETE)
    .zrange(setOf(ranking), '0', String(limit - 1), 'WITHSCORES')
    .exec()
  const [ready, isListed, mark, leaders] = throwFirstError(results)
  if (ready !== 1 || isListed !== 1 || mark === null || !Array.isArray(leaders)) return undefined
  // Scores are doubles: beyond 2^53 the last place may be a tie that is none.
  if (-Number(leaders.at(-1) ?? 0) > Number.MAX_SAFE_INTEGER) return undefined
  return leaders.filter((member, index) => index % 2 === 0 && member !== COMPLETE).map(String)
}

/** A pipeline resolves even when its commands failed. */
function throwFirstError(results: [error: Error | null, result: unknown][] | null): unknown[] {
  const failed = results?.find(([error]) => error)
  if (!results || failed) throw failed?.[0] ?? new Error('the transaction was not executed')
  return results.map(([, result]) => result)
}
