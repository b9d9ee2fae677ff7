/**
 * One attack after the other on one server: honest bids alone, honest bids beside the attack, honest bids
 * after it, each with connections of their own, so that newcomers are part of what is measured. Then the attack
 * once more for its memory: the collections that takes would slow the bids. A server that did not hold is
 * replaced before the next attack.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatNumber, formatTable } from '@bidmesh/bench/report/figure.ts'
import { runLoad } from '@bidmesh/bench/load/load-generator.ts'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'
import type { Attack } from './attack.ts'
import type { AttackOptions } from './attack-options.ts'
import { runAttacker } from './attacker-process.ts'
import type { MemoryProbe, ServerMemory } from './server-memory.ts'
import { type ServerUnderAttack, startServerUnderAttack } from './server-under-attack.ts'
import { isGivenBack, isSlow, type Measured, shortcomings } from './verdict.ts'

const HONEST_PER_SECOND = 100
/** Connections of honest bidders; few enough that each bids several times a second. */
const HONEST_BIDDERS = 20
const WARM_UP_PER_SECOND = 400

/** Lengths in ms; `giveBack` is how long a server may take to give memory back. */
type Phases = {
  warmUp: number
  before: number
  attack: number
  after: number
  giveBack: number
  /** A disk that flushes slowly for a moment is no attack's doing; what an attack does, it does each time. */
  slowTries: number
}

/** Warm means: code compiled, pools filled, so that growth is the attack's. Three seconds make a p99. */
function usualPhases(attack: number): Phases {
  return { warmUp: 5_000, before: 3_000, attack, after: 2_000, giveBack: 20_000, slowTries: 3 }
}
/** To see that the server lives: a minute for all attacks. */
function shortPhases(attack: number): Phases {
  return { warmUp: 2_000, before: 500, attack, after: 300, giveBack: 5_000, slowTries: 1 }
}
/** How often memory is looked at beside an attack, and afterwards. */
const LOOK_EVERY_MS = 500

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
  const phases = (options.isShort ? shortPhases : usualPhases)(options.seconds * 1_000)
  let server: ServerUnderAttack | undefined
  try {
    for (const attack of options.attacks) {
      server ??= await startWarm(log, phases)
      log.info({}, attack.name)
      const result = await runOne(server, attack, phases, options.scale)
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
  phases: Phases,
  scale: number,
): Promise<AttackResult> {
  const { url, port } = server
  const target = { url, host: '127.0.0.1', port, itemIds: server.items.map(({ id }) => id), scale }
  const attackOnce = () => runAttacker({ ...target, name: attack.name, attackMs: phases.attack })

  const memoryBefore = await server.memory.look()
  let { did, ...measured } = await honestBeside(server, attackOnce, phases)
  for (let again = 1; isSlow(measured.honest) && again < phases.slowTries; again += 1) {
    const { failed } = measured
    ;({ did, ...measured } = await honestBeside(server, attackOnce, phases))
    measured.failed = sum([failed, measured.failed])
  }
  const memory = await memoryBeside(server.memory, memoryBefore, attackOnce, phases).catch(
    () => unknownMemory,
  )
  const isAlive = isRunning(server.pid)
  const found = shortcomings({ ...measured, memory })
  if (!isAlive) found.unshift('the server ended')
  return { ...measured, memory, attack: attack.name, did, isAlive, shortcomings: found }
}

async function honestBeside(
  server: ServerUnderAttack,
  attackOnce: () => Promise<string>,
  phases: Phases,
): Promise<Pick<Measured, 'honest' | 'failed'> & { did: string }> {
  const before = await bidHonestly(server, phases.before)
  const [during, did] = await Promise.all([bidHonestly(server, phases.attack), attackOnce()])
  const after = await bidHonestly(server, phases.after)
  return {
    did,
    honest: { beforeMs: before.p99Ms, duringMs: during.p99Ms, afterMs: after.p99Ms },
    failed: sum([before.failed, during.failed, after.failed]),
  }
}

const unknown: ServerMemory = { residentBytes: Number.NaN, inUseBytes: Number.NaN }
/** Of a server that ended. */
const unknownMemory: Measured['memory'] = { before: unknown, worst: unknown, after: unknown }

async function memoryBeside(
  { look }: MemoryProbe,
  before: ServerMemory,
  attackOnce: () => Promise<unknown>,
  { giveBack }: Phases,
): Promise<Measured['memory']> {
  let worst = before
  let isOver = false
  const attacked = attackOnce().finally(() => (isOver = true))
  while (!isOver) {
    await sleep(LOOK_EVERY_MS)
    worst = higher(worst, await look())
  }
  await attacked
  const deadlineMs = performance.now() + giveBack
  for (;;) {
    const after = await look()
    if (isGivenBack({ before, after }) || performance.now() > deadlineMs) {
      return { before, worst, after }
    }
    await sleep(LOOK_EVERY_MS)
  }
}

function higher(one: ServerMemory, other: ServerMemory): ServerMemory {
  return {
    residentBytes: Math.max(one.residentBytes, other.residentBytes),
    inUseBytes: Math.max(one.inUseBytes, other.inUseBytes),
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
    urls: [url],
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

function sum(counts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const [code, count] of counts.flatMap((each) => Object.entries(each))) {
    total[code] = (total[code] ?? 0) + count
  }
  return total
}

/** Memory in MiB, p99 of honest bids in ms: before, at worst or beside the attack, after. */
function figures({ memory, honest }: AttackResult): object {
  const { before, worst, after } = memory
  return {
    resident: [before, worst, after].map(({ residentBytes }) => mebibytes(residentBytes)).join(' '),
    inUse: [before, worst, after].map(({ inUseBytes }) => mebibytes(inUseBytes)).join(' '),
    honest: [honest.beforeMs, honest.duringMs, honest.afterMs].map(formatNumber).join(' '),
  }
}

/** The table for people. */
export function attackTable(results: readonly AttackResult[]): string {
  const header = `,MiB resident before,worst,after,in use before,worst,after,p99 ms before,during,after,verdict`
  const rows = results.map(({ attack, memory: { before, worst, after }, honest, ...rest }) => [
    attack,
    ...[before, worst, after].map(({ residentBytes }) => mebibytes(residentBytes)),
    ...[before, worst, after].map(({ inUseBytes }) => mebibytes(inUseBytes)),
    ...[honest.beforeMs, honest.duringMs, honest.afterMs].map(formatNumber),
    rest.shortcomings.length === 0 ? 'held' : 'FAILED',
  ])
  const notes = results.map(({ attack, did, shortcomings: found }) =>
    [`${attack}: ${did}`, ...found].join('; '),
  )
  return [formatTable([header.split(','), ...rows]), '', ...notes].join('\n')
}

function mebibytes(bytes: number): string {
  return formatNumber(bytes / 1024 / 1024)
}
