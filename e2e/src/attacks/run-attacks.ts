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
/** Code compiled, heap grown, pools filled: growth after this is the attack's. */
const WARM_UP_MS = 5_000
const WARM_UP_PER_SECOND = 400
/** At 100 bids/s, enough for a p99. */
const BEFORE_MS = 3_000
/** How long a server may take to give memory back: collections come when it has something to do. */
const GIVE_BACK_LIMIT_MS = 20_000
const AFTER_MS = 2_000

export type AttackResult = Measured & { attack: string; did: string; shortcomings: string[] }

/** Progress on `log`; resolves with one result for each attack. */
export async function runAttacks(
  options: AttackOptions,
  log: ProgressLog,
): Promise<AttackResult[]> {
  const results: AttackResult[] = []
  let server: ServerUnderAttack | undefined
  try {
    for (const attack of options.attacks) {
      server ??= await startWarm(log)
      log.info({}, attack.name)
      const result = await runOne(server, attack, options)
      results.push(result)
      if (result.shortcomings.length === 0) continue
      log.warn({ did: result.did }, `${attack.name}: ${result.shortcomings.join(', ')}`)
      await server.stop()
      server = undefined
    }
  } finally {
    await server?.stop()
  }
  return results
}

async function startWarm(log: ProgressLog): Promise<ServerUnderAttack> {
  log.info({}, 'starting a server')
  const server = await startServerUnderAttack()
  await bidHonestly(server, WARM_UP_MS, WARM_UP_PER_SECOND)
  return server
}

async function runOne(
  server: ServerUnderAttack,
  attack: Attack,
  { seconds, scale }: AttackOptions,
): Promise<AttackResult> {
  const [before, beforeBytes] = await Promise.all([
    bidHonestly(server, BEFORE_MS),
    lowestResidentBytes(server.pid, BEFORE_MS),
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
  const { after, afterBytes } = await untilGivenBack(server, beforeBytes)
  const measured: Measured = {
    memory: { beforeBytes, peakBytes, afterBytes },
    honest: { beforeMs: before.p99Ms, duringMs: during.p99Ms, afterMs: after.p99Ms },
    failed: sum([before.failed, during.failed, after.failed]),
  }
  const ended = isRunning(server.pid) ? [] : ['the server ended']
  return {
    ...measured,
    attack: attack.name,
    did,
    shortcomings: [...ended, ...shortcomings(measured)],
  }
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

async function untilGivenBack(server: ServerUnderAttack, beforeBytes: number) {
  const deadlineMs = performance.now() + GIVE_BACK_LIMIT_MS
  for (;;) {
    const [after, afterBytes] = await Promise.all([
      bidHonestly(server, AFTER_MS),
      lowestResidentBytes(server.pid, AFTER_MS),
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
