/** `kill -9` of each kind of Bidmesh process, where it hurts most, while bidders bid. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { expect } from 'vitest'
import { acceptsMore, type Fault, type FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'
import { withRedis } from './with-redis.ts'

/** Bids that must be accepted while something is unavailable. */
const outageBids = 60
/** Before the process is started again, at most. */
const mostDownMs = 500

/** Events the consumers had seen before, as the processes that run now count them. */
async function repeatedEvents({ stack }: FaultWorld): Promise<number> {
  let repeated = 0
  for (const { url } of stack.stats) {
    const text = await (await fetch(`${url}/metrics`)).text()
    repeated += Number(/^bidmesh_inbox_duplicates\S* (\d+)/m.exec(text)?.[1] ?? 0)
  }
  return repeated
}

const bidProcess: Fault = {
  name: 'a bid process is killed mid-batch',
  strike: async ({ stack }, random, crowd) => {
    const victim = random.pick(stack.bid)
    await victim.kill9()
    await acceptsMore(crowd, outageBids)
    await sleep(random.between(0, mostDownMs))
    await victim.start()
  },
}

const relay: Fault = {
  name: 'the relays are killed between confirm and delete',
  strike: async (world, random, crowd) => {
    const { stack, bidSql } = world
    const repeatedBefore = await repeatedEvents(world)
    await inTransaction(stack.bidDatabaseUrl, async (tx) => {
      // Whoever wants to delete one of these rows waits for us, and wants it only after the confirm.
      await eventually(async () => {
        const held = await tx`SELECT FROM outbox FOR UPDATE SKIP LOCKED`
        return held.length > 0
      })
      await eventually(async () => {
        const waiting = await bidSql`
          SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'bidmesh relay'
            AND wait_event_type = 'Lock'`
        return waiting.length > 0
      })
      await Promise.all(stack.relay.map((process) => process.kill9()))
      // Their last statements have reached the server already, and would be obeyed.
      await bidSql`
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'bidmesh relay'`
    })
    await acceptsMore(crowd, outageBids)
    await sleep(random.between(0, mostDownMs))
    await Promise.all(stack.relay.map((process) => process.start()))
    await eventually(async () =>
      expect(await repeatedEvents(world)).toBeGreaterThan(repeatedBefore),
    )
  },
}

/** Most kills of a round: four in five hit the moment even when nobody aims. */
const mostKills = 5

const stats: Fault = {
  name: 'the statistics consumer is killed between commit and acknowledgement',
  strike: async (world, random, crowd) => {
    const { stack, statsSql } = world
    const [victim] = stack.stats
    if (!victim) throw new Error('the stack has no consumer')
    let repeated = 0
    for (let kills = 0; repeated === 0; kills += 1) {
      expect(kills).toBeLessThan(mostKills)
      // Leaderboards stand between commit and acknowledgement: with a Redis that does not answer they take
      // their whole 200 ms.
      await withRedis(stack.services.redisUrl, (redis) => redis.client('PAUSE', 1_000))
      const before = await inboxSize(statsSql)
      await eventually(async () => (await inboxSize(statsSql)) > before, { intervalMs: 2 })
      await victim.kill9()
      await acceptsMore(crowd, outageBids)
      await sleep(random.between(0, mostDownMs))
      await victim.start()
      const started = await inboxSize(statsSql)
      await eventually(async () => (await inboxSize(statsSql)) > started)
      repeated = await repeatedEvents(world)
    }
  },
}

async function inboxSize(sql: FaultWorld['statsSql']): Promise<bigint> {
  const [inbox] = await sql<{ events: bigint }[]>`SELECT count(*) AS events FROM inbox_events`
  return inbox?.events ?? 0n
}

faultSeries([bidProcess, relay, stats])
