/**
 * (h) Ten thousand viewers lose their server, killed with -9, and all come to another in the same moment. How long from
 * the kill until the last of them has been let in and has the state as of then, or later. A connection that comes to
 * nothing is made again after 50 ms. The bids around each kill must reach everybody.
 */
import { checkDrained, startPipeline } from '../drain-and-check.ts'
import { expectOpenFiles } from '../load/open-files.ts'
import { startViewerProcess } from '../load/viewer-process.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { median } from '../report/percentile.ts'
import { startTarget } from '../target.ts'
import type { World } from '../world.ts'
import { bidOneByOne, enterAll, spawnLive } from './live-load.ts'

const name = 'live return'
const viewersMax = 10_000
const main = '@bidmesh/live/main.ts'

type Result = { viewers: number; tookMs: number[]; retries: number; faults: string[] }

export async function runLiveReturn(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'live_return', 1)
  const pipeline = await startPipeline(world, cleanup, lanes)
  const result = await killInTurns(world, lanes)
  return {
    figures: [figure(result)],
    notes: [
      `of ${result.tookMs.length} kills ${result.tookMs.join(' ')} ms; ${result.retries} connections came to nothing`,
    ],
    violations: [...result.faults, ...(await checkDrained(world, lanes, pipeline))],
  }
}

async function killInTurns(
  world: World,
  lanes: Parameters<typeof bidOneByOne>[1],
): Promise<Result> {
  await using cleanup = new AsyncDisposableStack()
  const viewers = Math.min(viewersMax, world.viewers)
  await expectOpenFiles(viewers)
  let live = await spawnLive(world, cleanup, lanes, { main, viewers })
  const crowd = startViewerProcess(cleanup, { url: live.url, itemId: lanes.items[0]?.id ?? '' })
  await enterAll(world, crowd, { name, viewers })
  const result: Result = { viewers, tookMs: [], retries: 0, faults: [] }
  for (let round = 1; round <= world.rounds; round += 1) {
    await bidOneByOne(world, lanes, crowd, 1)
    const known = Math.max(...lanes.ledger.map(({ sequence }) => Number(sequence)))
    const next = await spawnLive(world, cleanup, lanes, { main, viewers })
    await crowd.standBy(next.url)
    const killedMs = Date.now()
    live.child.kill('SIGKILL')
    const { lastMs, lowest, retries } = await crowd.returned()
    live = next
    result.tookMs.push(lastMs - killedMs)
    result.retries += retries
    if (lowest < known) result.faults.push(`a viewer is back at bid ${lowest}, ${known} is known`)
    world.log.info({ 'all back after, ms': lastMs - killedMs, retries }, `${name}: kill ${round}`)
  }
  const { ledger } = await bidOneByOne(world, lanes, crowd, 1)
  const { bids, faults } = await crowd.follow(Number(ledger[0]?.sequence))
  const had = bids.find(({ sequence }) => sequence === Number(ledger[0]?.sequence))?.viewers
  if (had !== viewers) result.faults.push(`${had} of ${viewers} viewers had the last bid`)
  await crowd.leave()
  return { ...result, faults: [...result.faults, ...faults] }
}

function figure({ viewers, tookMs }: Result): Figure {
  const worstMs = Math.max(...tookMs)
  return {
    scenario: name,
    name: `kill -9 → all of ${viewers.toLocaleString('en-US')} viewers back and up to date, worst, ms`,
    ours: formatNumber(worstMs),
    against: `median ${formatNumber(median(tookMs))}`,
    value: worstMs,
    target: { kind: 'at most', value: 3_000, unit: 'ms' },
  }
}
