/**
 * One round of a fault test with viewers: bids trickle in and viewers watch, something is struck down and
 * comes back, and a moment after it is back every viewer must know what Postgres knows, without ever having
 * been told anything in the wrong order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '@bidmesh/bench/report/percentile.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { expect } from 'vitest'
import type { BidTime } from './live-bids.ts'
import { audiencesOf } from './live-crowd.ts'
import type { LiveWorld } from './live-world.ts'
import { type Random, seededRandom } from './seeded-random.ts'

/** From the comeback of what was struck until every viewer has the latest state. */
const upToDateLimitMs = 3_000
/** From the strike until every viewer knows how many they are: a dead process counts for 9 s. */
const countLimitMs = 15_000
/** From a comeback until bids come one by one again: the back-off of relay and live is 3 s at most. */
const stepsLimitMs = 15_000
/** Between two processes that are well: 0.5 s at most, and 2,000 greetings. */
const homeLimitMs = 5_000
/** Of undisturbed bidding before a strike: what the bids during it are held against. */
const quietPhaseMs = { least: 2_000, most: 2_500 }
/** How much longer bids may take during a fault … */
const slowdownMost = 2
/**
 * … than in quiet times, or than this if that is less: a process that starts takes a second of one of two
 * cores. Whoever waited for RabbitMQ, Redis or live would wait for 200 ms at least, the limit of a Redis
 * command.
 */
const paceFloorMs = 50
/** Between looks at all viewers. */
const intervalMs = 50

export type LiveFault = {
  name: string
  /** Breaks something and mends it, while bids trickle in. Resolves as soon as it is mended. */
  strike: (world: LiveWorld, random: Random) => Promise<void>
}

/** Plays one round and returns how many bids were accepted during the fault; throws what was found wrong. */
export async function playLiveRound(
  world: LiveWorld,
  fault: LiveFault,
  seed: number,
): Promise<number> {
  try {
    return await playToTheEnd(world, fault, seededRandom(seed))
  } finally {
    await world.bids.pause()
  }
}

async function playToTheEnd(world: LiveWorld, fault: LiveFault, random: Random): Promise<number> {
  const { bids, crowd, times } = world
  await goHome(world)
  await knowTheirNumber(world, performance.now())
  bids.takeTimes()
  bids.go()
  await sleep(random.between(quietPhaseMs.least, quietPhaseMs.most))
  times.quiet.push(...bids.takeTimes())
  // So that the number of viewers is another one afterwards.
  await crowd.turnGuests()
  const struckAtMs = performance.now()
  await fault.strike(world, random)
  await areUpToDate(world)
  const struck = bids.takeTimes()
  times.struck.push(...struck)
  bids.go()
  await knowTheirNumber(world, struckAtMs)
  await seeSingleBids(world)
  await areUpToDate(world)
  expect([...bids.failures, ...world.mishaps.splice(0)]).toEqual([])
  // Of so few the slowest say little; all rounds together are judged by theirs.
  holdTheirPace(struck, times.quiet, 0.5)
  return struck.length
}

/** @param share of the bids that are judged by the slowest among them */
export function holdTheirPace(
  struck: readonly BidTime[],
  quiet: readonly BidTime[],
  share: number,
): void {
  const pace = (times: readonly BidTime[], of: keyof BidTime): number =>
    percentile(
      times.map((time) => time[of]),
      share,
    )
  // What slows down a process that need only say that it lives is the machine, not the fault.
  const usualMs = Math.max(pace(quiet, 'bidMs'), pace(struck, 'controlMs'), paceFloorMs)
  expect(pace(struck, 'bidMs')).toBeLessThanOrEqual(slowdownMost * usualMs)
}

/** Those that have fled come back: what is struck next has half of the viewers. */
async function goHome({ crowd }: LiveWorld): Promise<void> {
  const byHome = Object.groupBy(crowd.present(), ({ home }) => home)
  const expected = Object.entries(byHome).map(([home, viewers = []]) => [home, viewers.length])
  await crowd.goHome()
  await eventually(
    async () => {
      const { servers } = await crowd.report()
      expect(servers).toEqual(Object.fromEntries(expected))
    },
    { limitMs: homeLimitMs, intervalMs },
  )
}

/** Stops the bids; every viewer has 3 s to be connected and where Postgres is, all without complaint. */
export async function areUpToDate({ bids, bidSql, crowd }: LiveWorld): Promise<void> {
  const startedAtMs = performance.now()
  await bids.pause()
  const rows = await bidSql<{ id: string; position: string }[]>`
    SELECT id, sequence || '/' || version AS position FROM items`
  const stored = new Map(rows.map(({ id, position }) => [id, position]))
  const audiences = audiencesOf(crowd.present())
  const expected = audiences.map(({ itemId, viewers }) => ({
    [stored.get(itemId) ?? '']: viewers,
  }))
  await eventually(
    async () => {
      const { items, complaints } = await crowd.report()
      const positions = audiences.map(({ itemId }) => items[itemId]?.positions)
      // Whoever has a reason to complain is seldom where they should be.
      expect({ positions, complaints }).toEqual({ positions: expected, complaints: [] })
    },
    { limitMs: upToDateLimitMs - (performance.now() - startedAtMs), intervalMs },
  )
}

/** Events get through again: no viewer lives on snapshots. */
async function seeSingleBids({ crowd }: LiveWorld): Promise<void> {
  await eventually(
    async () => {
      const { items } = await crowd.report()
      const bySnapshot = Object.values(items).map((item) => item.bySnapshot)
      expect(bySnapshot).toEqual(bySnapshot.map(() => 0))
    },
    { limitMs: stepsLimitMs, intervalMs },
  )
}

async function knowTheirNumber({ crowd }: LiveWorld, sinceMs: number): Promise<void> {
  const audiences = audiencesOf(crowd.present())
  await eventually(
    async () => {
      const { items } = await crowd.report()
      expect(audiences.map(({ itemId }) => items[itemId]?.viewerCounts)).toEqual(
        audiences.map(({ viewers, distinct }) => ({ [distinct]: viewers })),
      )
    },
    { limitMs: countLimitMs - (performance.now() - sinceMs), intervalMs },
  )
}
