/**
 * What the database alone can do: batches as large as the lanes', decided inside it, one connection per lane, and no server in
 * front. By pgbench where there is one, else by a loop of our own.
 */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkBids } from '../drain-and-check.ts'
import { findProgram } from '../find-program.ts'
import type { LoadResult } from '../load/load-generator.ts'
import { cpuBetween, readCpuSeconds } from '../report/cpu-time.ts'
import { auctionMs, bidDatabase, insertItems, newItems, type Target } from '../target.ts'
import { openSql, type World } from '../world.ts'
import { createFloorFunction } from './floor-function.ts'
import { meanBatch } from './mean-batch.ts'

export type FloorOptions = {
  /** Prefix of the database's name. */
  database: string
  /** The lanes: as many items, and calls of as many bids as their mean batch so far. */
  beside: Target
  /** Connections. */
  laneCount: number
}

export type DatabaseFloor = {
  /** Runs for as long as any load; the bids are the database's own, so it has no ledger. */
  run: () => Promise<LoadResult>
  /** What it was, for the table; while the lanes still run. */
  describe: () => Promise<string>
  /** Violations as lines. */
  check: () => Promise<string[]>
}

export async function startFloor(
  world: World,
  cleanup: AsyncDisposableStack,
  { database, beside, laneCount: lanes }: FloorOptions,
): Promise<DatabaseFloor> {
  const url = await bidDatabase(world, `${database}_floor`)
  const sql = openSql(cleanup, url)
  const ids = newItems(beside.items.length).map(({ id }) => id)
  await insertItems(sql, ids, { lastMs: auctionMs })
  await createFloorFunction(sql, ids)
  const pgbench = await findProgram('pgbench')
  const { measureMs, postmaster } = world
  let counted = 0
  const sizeNow = async () => Math.round(await meanBatch(beside.server.url))
  return {
    async run() {
      const size = await sizeNow()
      const cpuOf = { servers: [], database: postmaster }
      const before = await readCpuSeconds(cpuOf)
      const { calls, tookMs } = pgbench
        ? await runPgbench(pgbench, url, { lanes, size, measureMs })
        : await runLoop(url, { lanes, size, measureMs })
      await sleep(endMs)
      const cpuSeconds = cpuBetween(before, await readCpuSeconds(cpuOf))
      const accepted = calls * size
      counted += accepted
      return {
        measuredMs: tookMs,
        accepted,
        rejected: {},
        failed: {},
        latency: { p50Ms: Number.NaN, p99Ms: Number.NaN },
        cpuSeconds: { ...cpuSeconds, server: undefined },
        nextBids: [],
        ledger: [],
        freshness: undefined,
      }
    },
    describe: async () =>
      `Postgres alone, ${await sizeNow()} a call (${pgbench ? 'pgbench' : 'a loop'})`,
    async check() {
      const [row] = await sql<{ stored: bigint }[]>`SELECT count(*) AS stored FROM bids`
      const stored = Number(row?.stored)
      return [
        ...(stored < counted ? [`floor: I1: ${counted} bids counted, ${stored} stored`] : []),
        ...(await checkBids(world, { name: 'floor', sql, ledger: [] })),
      ]
    },
  }
}

type Calls = { calls: number; tookMs: number }
/** Until connections that were closed have ended in Postgres, so that their CPU time is that of its children that ended. */
const endMs = 200

/** Connections, the bids of one call, and for how long. */
type Run = { lanes: number; size: number; measureMs: number }

async function runPgbench(file: string, url: string, run: Run): Promise<Calls> {
  const { lanes, size, measureMs } = run
  const seconds = String(Math.round(measureMs / 1_000))
  const args = ['-n', '-M', 'prepared', '-c', String(lanes), '-T', seconds, '-f', '-', url]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(`SELECT bench_place_bids(:client_id, ${lanes}, ${size});\n`)
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr)])
  const calls = readPgbench(said)
  if (calls === undefined) throw new Error(`pgbench failed: ${complained}`)
  return calls
}

/** By what it says at its end; undefined when it did not get there. */
export function readPgbench(said: string): Calls | undefined {
  const calls = /^number of transactions actually processed: (\d+)/m.exec(said)?.[1]
  const perSecond = /^tps = ([\d.]+)/m.exec(said)?.[1]
  if (calls === undefined || perSecond === undefined) return undefined
  return { calls: Number(calls), tookMs: (Number(calls) / Number(perSecond)) * 1_000 }
}

async function runLoop(url: string, { lanes, size, measureMs }: Run): Promise<Calls> {
  await using cleanup = new AsyncDisposableStack()
  const startedMs = performance.now()
  const each = Array.from({ length: lanes }, async (_, lane) => {
    const sql = openSql(cleanup, url)
    let calls = 0
    while (performance.now() - startedMs < measureMs) {
      await sql`SELECT bench_place_bids(${lane}, ${lanes}, ${size})`
      calls += 1
    }
    return calls
  })
  const calls = (await Promise.all(each)).reduce((sum, count) => sum + count, 0)
  return { calls, tookMs: performance.now() - startedMs }
}
