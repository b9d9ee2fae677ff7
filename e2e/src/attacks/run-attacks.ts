/**
 * One attack after the other on one server: honest bids alone, honest bids beside the attack, honest bids
 * after it, each with connections of their own, so that newcomers are part of what is measured. A server
 * that did not hold is replaced before the next attack.
 */
import { formatNumber, formatTable } from '@bidmesh/bench/figure.ts'
import { runLoad } from '@bidmesh/bench/load-generator.ts'
import { lowestResidentBytes } from '@bidmesh/bench/resident-memory.ts'
import { isRunning } from '@bidmesh/platform/process-end.ts'
import type { ProgressLog } from '@bidmesh/platform/progress-log.ts'
import type { Attack } from './attack.ts'
import type { AttackOptions } from './attack-options.ts'
import { runAttacker } from './attacker-process.ts'
import { watchMemory } from './memory-watch.ts'
import { type ServerUnderAttack, startServerUnderAttack } from './server-under-attack.ts'
import { GROWTH_MAX_BYTES, type Measured, shortcomings } from './verdict.ts'

const HONEST_PER_SECOND = 100
/** Connections of honest bidders; few enough that each bids several times a second. */
const HONEST_BIDDERS = 20
const WARM_UP_PER_SECOND = 400

/** Lengths in ms; `giveBack` is how long a server may take to give memory back. */
type Phases = { warmUp: number; before: number; after: number; giveBack: number }

/**
 * Warm means: code compiled, heap grown, pools filled, so that growth is the attack's. Three seconds make
 * a p99; collections come when there is something to do.
 */
const usualPhases: Phases = { warmUp: 5_000, before: 3_000, after: 2_000, giveBack: 20_000 }
/** To see that the server lives: half a minute for all attacks. */
const shortPhases: Phases = { warmUp: 2_000, before: 500, after: 300, giveBack: 0 }

export type AttackResult = Measured & {
  attack: string
  did: string
  isAlive: boolean
  shortcomings: string[]
}

/** Progress on `log`; resolves with one result for each attack. */
export async function runAttacks(
  options: AttackOptions,
  log: ProgressLog,
): Promise<AttackResult[]> {
  const results: AttackResult[] = []
  const phases = options.isShort ? shortPhases : usualPhases
  let server: ServerUnderAttack | undefined
  try {
    for (const attack of options.attacks) {
      server ??= await startWarm(log, phases)
      log.info({}, attack.name)
      const result = await runOne(server, attack, { ...options, phases })
      results.push(result)
      // Each at once: a whole run takes ten minutes, and one that is cut short has told what it saw.
      log.info(figures(result), attack.name)
      if (result.isAlive && (options.isShort || result.shortcomings.length === 0)) continue
      log.warn({ did: result.did }, `${attack.name}: ${result.shortcomings.join(', ')}`)
      await server.stop()
      server = undefined
    }
  } finally {
    await server?.stop()
  }
  return results
}

async function startWarm(log: ProgressLog, { warmUp }: Phases): Promise<ServerUnderAttack> {
  log.info({}, 'starting a server')
  const server = await startServerUnderAttack()
  await bidHonestly(server, warmUp, WARM_UP_PER_SECOND)
  return server
}

async function runOne(
  server: ServerUnderAttack,
  attack: Attack,
  { seconds, scale, phases }: AttackOptions & { phases: Phases },
): Promise<AttackResult> {
  const [before, beforeBytes] = await Promise.all([
    bidHonestly(server, phases.before),
    lowestResidentBytes(server.pid, phases.before),
  ])
  const peak = watchMemory(server.pid)
  const attackMs = seconds * 1_000
  const { url, port } = server
  const target = { url, host: '127.0.0.1', port, itemIds: server.items.map(({ id }) => id), scale }
  const [during, did] = await Promise.all([
    bidHonestly(server, attackMs),
    runAttacker({ ...target, name: attack.name, attackMs }),
  ])
  const peakBytes = await peak()
  const { after, afterBytes } = await untilGivenBack(server, beforeBytes, phases)
  const measured: Measured = {
    memory: { beforeBytes, peakBytes, afterBytes },
    honest: { beforeMs: before.p99Ms, duringMs: during.p99Ms, afterMs: after.p99Ms },
    failed: sum([before.failed, during.failed, after.failed]),
  }
  const isAlive = isRunning(server.pid)
  const found = [...(isAlive ? [] : ['the server ended']), ...shortcomings(measured)]
  return { ...measured, attack: attack.name, did, isAlive, shortcomings: found }
}

type Honest = { p50Ms: number; p99Ms: number; failed: Record<string, number> }

async function bidHonestly(
  server: ServerUnderAttack,
  measureMs: number,
  ratePerSecond = HONEST_PER_SECOND,
): Promise<Honest> {
  const { url, items } = server
  const { latency, failed, nextBids } = await runLoad({
    url,
    items,
    bidders: HONEST_BIDDERS,
    sight: 'shared',
    warmUpMs: 0,
    measureMs,
    ratePerSecond,
  })
  server.items = items.map(({ id }, index) => ({ id, nextBid: nextBids[index] ?? 1 }))
  return { ...latency, failed }
}

async function untilGivenBack(
  server: ServerUnderAttack,
  beforeBytes: number,
  { after: afterMs, giveBack }: Phases,
) {
  const deadlineMs = performance.now() + giveBack
  for (;;) {
    const [after, afterBytes] = await Promise.all([
      bidHonestly(server, afterMs),
      lowestResidentBytes(server.pid, afterMs),
    ])
    const isBack = afterBytes - beforeBytes < GROWTH_MAX_BYTES / 2
    if (isBack || performance.now() > deadlineMs || !isRunning(server.pid)) {
      return { after, afterBytes }
    }
  }
}

function sum(counts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const [code, count] of counts.flatMap((each) => Object.entries(each))) {
    total[code] = (total[code] ?? 0) + count
  }
  return total
}

/** Memory in MiB, p99 of honest bids in ms: before, at worst or beside the attack, after. */
function figures({ memory, honest }: AttackResult): object {
  return {
    memory: [memory.beforeBytes, memory.peakBytes, memory.afterBytes].map(mebibytes).join(' '),
    honest: [honest.beforeMs, honest.duringMs, honest.afterMs].map(formatNumber).join(' '),
  }
}

/** The table for people. */
export function attackTable(results: readonly AttackResult[]): string {
  const header = ['', 'MiB before', 'peak', 'after', 'p99 ms before', 'during', 'after', 'verdict']
  const rows = results.map(({ attack, memory, honest, shortcomings: found }) => [
    attack,
    ...[memory.beforeBytes, memory.peakBytes, memory.afterBytes].map(mebibytes),
    ...[honest.beforeMs, honest.duringMs, honest.afterMs].map(formatNumber),
    found.length === 0 ? 'held' : 'FAILED',
  ])
  const notes = results.map(({ attack, did, shortcomings: found }) =>
    [`${attack}: ${did}`, ...found].join('; '),
  )
  return [formatTable([header, ...rows]), '', ...notes].join('\n')
}

function mebibytes(bytes: number): string {
  return formatNumber(bytes / 1024 / 1024)
}
