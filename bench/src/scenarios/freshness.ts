/**
 * (e) How soon a committed bid shows in its bidder's statistics at 1,000 bids/s: bids arrive at that rate
 * whatever happens, through the whole way (bid service, outbox, relay, RabbitMQ, stats service, GetUserStats).
 * Judged from the bid's decision, which is before its commit: the stricter of both ends.
 */
import { checkDrained, startPipeline } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import type { LoadResult } from '../load/load-generator.ts'
import { acceptedPerSecond, runOn } from '../rounds.ts'
import { startTarget } from '../target.ts'
import { targetNotes } from '../report/target-notes.ts'
import type { World } from '../world.ts'

const ratePerSecond = 1_000
const itemCount = 200
/** Enough connections that none of the 1,000 has to wait for a free one. */
const bidders = 128
/** Every so-manieth bid is watched: 40 a second. */
const everyNth = 25
/** Percentiles of few samples are anecdotes: this many rounds' worth in one go. */
const lengthFactor = 5
/** Longer than elsewhere: four processes have to compile their hot paths. */
const warmUpMs = 5_000

export async function runFreshness(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'freshness', itemCount)
  const pipeline = await startPipeline(world, cleanup, lanes)
  const statsUrl = pipeline.stats.url
  const result = await runOn(world, lanes, {
    bidders,
    sight: 'shared',
    ratePerSecond,
    warmUpMs,
    measureMs: world.measureMs * lengthFactor,
    freshness: { statsUrl, everyNth },
    otherServers: [pipeline.relay.pid, pipeline.stats.pid, ...world.rabbitmqPids],
  })
  return {
    figures: figures(result),
    notes: [...targetNotes(new Map([['lanes', [result]]])), note(result)],
    violations: await checkDrained(world, lanes, pipeline),
  }
}

function figures(result: LoadResult): Figure[] {
  const { fromDecision } = result.freshness ?? {
    fromDecision: { p50Ms: Number.NaN, p99Ms: Number.NaN },
  }
  return [
    {
      scenario: 'freshness',
      name: `commit → statistics, p99 at ${formatNumber(acceptedPerSecond(result))} bids/s, ms`,
      ours: formatNumber(fromDecision.p99Ms),
      against: `p50 ${formatNumber(fromDecision.p50Ms)}`,
      value: fromDecision.p99Ms,
      target: { kind: 'at most', value: 100, unit: 'ms' },
    },
  ]
}

function note({ freshness }: LoadResult): string {
  if (freshness === undefined) return 'no bid was followed'
  const { samples, unseen, fromAnswer } = freshness
  return (
    `${samples} bids followed, ${unseen} never seen; counted from the acknowledgement instead: ` +
    `p50 ${formatNumber(fromAnswer.p50Ms)} ms, p99 ${formatNumber(fromAnswer.p99Ms)} ms`
  )
}
