/**
 * Every connection to Postgres, RabbitMQ or Redis, or from live to the bid service, becomes a black hole (no goodbye, no answer) while bidders
 * bid; new ones work. As when a failover's old primary has vanished.
 */
import type { TcpProxy } from '@bidmesh/platform/testing/tcp-proxy.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { expect } from 'vitest'
import { callJson } from '../call-json.ts'
import { acceptsMore, type Fault, type FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'

/** Bids that must be accepted after. */
const bidsAfter = 60
/** From the first swallowed byte until everything serves again. */
const servesAgainMs = 10_000

function blackHoles(name: string, proxiesOf: (world: FaultWorld) => readonly TcpProxy[]): Fault {
  return {
    name: `all connections to ${name} become black holes`,
    strike: async (world, _random, crowd) => {
      for (const proxy of proxiesOf(world)) proxy.swallow()
      const startedMs = performance.now()
      await acceptsMore(crowd, bidsAfter)
      await Promise.all([eventsArrive(world), everybodyIsReady(world), viewersAreServed(world)])
      const tookMs = performance.now() - startedMs
      console.log(`${name} serves again after ${Math.round(tookMs)} ms`)
      expect(tookMs).toBeLessThan(servesAgainMs)
    },
  }
}

/** What is bid from now on reaches the statistics, by the relay, RabbitMQ and the consumer. */
async function eventsArrive({ bidSql, statsSql }: FaultWorld): Promise<void> {
  const [latest] = await bidSql<{ id: string }[]>`SELECT id FROM bids ORDER BY id DESC LIMIT 1`
  await eventually(async () => {
    const applied = await statsSql`SELECT FROM inbox_events WHERE event_id = ${latest?.id ?? ''}`
    expect(applied).toHaveLength(1)
  })
}

async function everybodyIsReady({ stack }: FaultWorld): Promise<void> {
  const processes = [stack.bid, stack.auctioneer, stack.relay, stack.stats, stack.live].flat()
  await eventually(async () => {
    const answers = await Promise.all(processes.map(({ url }) => fetch(`${url}/readyz`)))
    const refusals = answers.filter(({ ok }) => !ok).map((answer) => answer.text())
    expect(await Promise.all(refusals)).toEqual([])
  })
}

/** Each live process reads of the bid service. */
async function viewersAreServed({ bidSql, stack }: FaultWorld): Promise<void> {
  const [item] = await bidSql<{ id: string }[]>`SELECT id FROM items ORDER BY id DESC LIMIT 1`
  for (const { url } of stack.live) {
    await eventually(async () => {
      await callJson(url, 'live.v1.LiveService/GetPriceHistory', { itemId: item?.id })
    })
  }
}

faultSeries([
  blackHoles('Postgres', ({ postgresProxy }) => [postgresProxy]),
  blackHoles('RabbitMQ', ({ amqpProxy }) => [amqpProxy]),
  blackHoles('Redis', ({ redisProxy }) => [redisProxy]),
  blackHoles('the bid service', ({ bidProxies }) => bidProxies),
])
