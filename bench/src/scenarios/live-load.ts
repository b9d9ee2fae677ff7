/**
 * One load on one live process: viewers come to an item in waves, are left alone for a while, and then follow
 * its bids, which go the whole way (bid service, outbox, relay, RabbitMQ). First one bid at a time, the next
 * when every viewer has the one before; then bids at a rate, whatever viewers do. The ledger of the bidder says
 * which bids there were.
 */
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { cpuBetween, type CpuSeconds, readCpuSeconds } from '../report/cpu-time.ts'
import type { DeliveryReport } from '../load/delivery-book.ts'
import { expectOpenFiles } from '../load/open-files.ts'
import { lowestResidentBytes } from '../report/resident-memory.ts'
import { runOn } from '../rounds.ts'
import { type ServerProcess, spawnServer } from '../spawn-server.ts'
import type { Target } from '../target.ts'
import { startViewerProcess, type ViewerProcess } from '../load/viewer-process.ts'
import type { World } from '../world.ts'

/** At once: as many as fit into the queue of a listening socket, 511 with Node. */
const waveSize = 500
const sayEvery = 2_500

/** A new process, before its first viewer. */
const startedForMs = 2_000
/** Viewers in, no bids: longer than the 8 s in which each of them is told the time once. */
const idleForMs = 10_000

/** One at a time; the first compile code, and their figures do not count. */
const loneBids = 8
const loneWarmUpBids = 2
/** A load of about one bid: it arrives after 1/4 s, and the load ends shortly after. */
const loneLoad = { ratePerSecond: 4, measureMs: 300 } as const
/** On a busy machine a load may end before its bid arrives. */
const loneLoadsMax = 3 * loneBids

export type LiveLoadOptions = {
  /** Names it in the progress. */
  name: string
  /** The module of the live process. */
  main: string
  viewers: number
  ratePerSecond: number
  /** How long bids come at that rate. */
  measureMs: number
}

export type LiveResult = {
  name: string
  viewers: number
  /** RSS of the live process with idle viewers, less that before the first, by their number; NaN if unknown. */
  bytesPerViewer: number
  /** From the decision of each bid until the last viewer had it; NaN of a bid that nobody had. */
  loneMs: number[]
  /** The same of bids at a rate. */
  pacedMs: number[]
  /** Of bids at a rate, to all viewers. */
  deliveries: number
  /** While bids came at a rate and until the last was delivered. NaN if unknown. */
  cpuSeconds: { live: number; viewers: number; others: number }
  tookMs: number
  /** Bids that not every viewer had, and whatever viewers complain of: each must have each once, in order. */
  faults: string[]
}

/** @param target the bids' side, with one item and a relay behind it */
export async function runLiveLoad(
  world: World,
  target: Target,
  options: LiveLoadOptions,
): Promise<LiveResult> {
  await using cleanup = new AsyncDisposableStack()
  const { name, viewers } = options
  await expectOpenFiles(viewers)
  const live = await spawnLive(world, cleanup, target, options)
  const crowd = startViewerProcess(cleanup, { url: live.url, itemId: target.items[0]?.id ?? '' })
  const bytesBefore = await lowestResidentBytes(live.pid, startedForMs)
  await enterAll(world, crowd, options)
  const bytesIdle = await lowestResidentBytes(live.pid, idleForMs)
  const lone = await bidOneByOne(world, target, crowd)
  world.log.info({ 'last viewer after, ms': lone.latenciesMs.join(' ') }, `${name}: lone bids`)
  const paced = await bidAtRate(world, target, { live, crowd, ...options })
  world.log.info(
    { 'last viewer after, ms': paced.latenciesMs.join(' ') },
    `${name}: bids at a rate`,
  )
  await crowd.leave()
  const { faults, faultCount } = paced.report
  const more = faultCount > faults.length ? [`… and ${faultCount - faults.length} more`] : []
  const bids = [...lone.ledger, ...paced.ledger]
  const all = [...undelivered(bids, paced.report, viewers), ...faults, ...more]
  return {
    name,
    viewers,
    bytesPerViewer: (bytesIdle - bytesBefore) / viewers,
    loneMs: lone.latenciesMs.slice(loneWarmUpBids),
    pacedMs: paced.latenciesMs,
    deliveries: deliveriesOf(paced.ledger, paced.report),
    cpuSeconds: paced.cpuSeconds,
    tookMs: paced.tookMs,
    faults: all.map((fault) => `${name}: ${fault}`),
  }
}

export async function spawnLive(
  world: World,
  cleanup: AsyncDisposableStack,
  target: Target,
  { main, viewers }: Pick<LiveLoadOptions, 'main' | 'viewers'>,
): Promise<ServerProcess> {
  return await spawnServer(cleanup, main, {
    BID_URL: target.server.url,
    AMQP_URL: world.amqpUrl,
    REDIS_URL: world.redisUrl,
    VIEWERS_MAX: String(viewers),
  })
}

export async function enterAll(
  world: World,
  crowd: ViewerProcess,
  { name, viewers }: Pick<LiveLoadOptions, 'name' | 'viewers'>,
): Promise<void> {
  for (let inside = 0; inside < viewers;) {
    const count = Math.min(waveSize, viewers - inside)
    await crowd.enter(count)
    inside += count
    if (inside % sayEvery === 0 || inside === viewers) world.log.info({ viewers: inside }, name)
  }
}

type Bidding = { ledger: LedgerEntry[]; latenciesMs: number[]; report: DeliveryReport }

/** What became of the bids in the ledger. */
async function followed(crowd: ViewerProcess, ledger: LedgerEntry[]): Promise<Bidding> {
  if (ledger.length === 0) throw new Error('no bid was accepted')
  const report = await crowd.follow(Math.max(...ledger.map(({ sequence }) => Number(sequence))))
  const bySequence = new Map(report.bids.map((bid) => [bid.sequence, bid]))
  const latenciesMs = ledger.map(({ sequence }) => {
    const bid = bySequence.get(Number(sequence))
    return bid ? bid.lastMs - bid.decidedMs : Number.NaN
  })
  return { ledger, latenciesMs, report }
}

export async function bidOneByOne(
  world: World,
  target: Target,
  crowd: ViewerProcess,
  bids = loneBids,
): Promise<Omit<Bidding, 'report'>> {
  const ledger: LedgerEntry[] = []
  const latenciesMs: number[] = []
  for (let loads = 0; ledger.length < bids; loads += 1) {
    if (loads === loneLoadsMax) throw new Error(`${ledger.length} bids accepted of ${bids}`)
    const load = await runOn(world, target, { ...bidder, ...loneLoad })
    if (load.ledger.length === 0) continue
    const delivered = await followed(crowd, load.ledger)
    ledger.push(...delivered.ledger)
    latenciesMs.push(...delivered.latenciesMs)
  }
  return { ledger, latenciesMs }
}

/** Alone: there is nobody to be rejected for. */
const bidder = { bidders: 1, sight: 'shared', warmUpMs: 0 } as const

async function bidAtRate(
  world: World,
  target: Target,
  options: LiveLoadOptions & { live: ServerProcess; crowd: ViewerProcess },
): Promise<Bidding & Pick<LiveResult, 'cpuSeconds' | 'tookMs'>> {
  const { live, crowd, ratePerSecond, measureMs } = options
  const startedMs = performance.now()
  const before = await Promise.all([live, crowd].map(readCpu))
  const { ledger } = await runOn(world, target, { ...bidder, ratePerSecond, measureMs })
  const bids = await followed(crowd, ledger)
  const after = await Promise.all([live, crowd].map(readCpu))
  const [ofLive, ofCrowd] = after.map((reading, index) => between(before[index], reading))
  const used = { live: ofLive?.server ?? Number.NaN, viewers: ofCrowd?.server ?? Number.NaN }
  const others = (ofLive?.machine ?? Number.NaN) - used.live - used.viewers
  const tookMs = performance.now() - startedMs
  return { ...bids, cpuSeconds: { ...used, others }, tookMs }
}

function readCpu({ pid }: { pid: number }): Promise<CpuSeconds> {
  return readCpuSeconds({ servers: [pid] })
}

function between(before: CpuSeconds | undefined, after: CpuSeconds): CpuSeconds {
  return cpuBetween(before ?? after, after)
}

function deliveriesOf(ledger: readonly LedgerEntry[], { bids }: DeliveryReport): number {
  const sequences = new Set(ledger.map(({ sequence }) => Number(sequence)))
  return bids.reduce((sum, bid) => sum + (sequences.has(bid.sequence) ? bid.viewers : 0), 0)
}

/** Bids that fewer had than there are viewers, a line each. */
function undelivered(
  ledger: readonly LedgerEntry[],
  { bids }: DeliveryReport,
  viewers: number,
): string[] {
  return ledger.flatMap(({ sequence }) => {
    const had = bids.find((bid) => bid.sequence === Number(sequence))?.viewers ?? 0
    return had === viewers ? [] : [`${had} of ${viewers} viewers had bid ${sequence}`]
  })
}
