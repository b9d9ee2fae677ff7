/**
 * CPU time, user and system, in seconds. Of processes by Linux's /proc; elsewhere it stays unknown. Postgres is one process per
 * connection under a postmaster, and Redis writes its file anew in a child: a database's tree is summed, children that have
 * ended included.
 */
import { readdir, readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'

/** USER_HZ: what the kernel counts in for /proc, on every architecture Node runs on. */
const ticksPerSecond = 100

/** Whose CPU time is read beside that of the calling process, the generator. */
export type Measured = {
  /** Summed. */
  servers: readonly number[]
  /** The postmaster, or Redis. */
  database?: number | undefined
}

export type CpuSeconds = {
  generator: number
  server: number | undefined
  database: number | undefined
  /** All cores together, whoever used them. */
  machine: number
}

/** What has been used so far. */
export async function readCpuSeconds(of: Measured | undefined): Promise<CpuSeconds> {
  const { user, system } = process.cpuUsage()
  const [server, database] = await Promise.all([
    of && sumCpuSeconds(of.servers),
    of?.database === undefined ? undefined : treeCpuSeconds(of.database),
  ])
  const busyMs = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq)
  const machine = busyMs.reduce((sum, each) => sum + each, 0) / 1_000
  return { generator: (user + system) / 1e6, server, database, machine }
}

/** What was used between two readings. */
export function cpuBetween(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  return {
    generator: after.generator - before.generator,
    server: difference(before.server, after.server),
    database: difference(before.database, after.database),
    machine: after.machine - before.machine,
  }
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before
}

type Times = { parent: number; own: number; ended: number }

async function sumCpuSeconds(pids: readonly number[]): Promise<number | undefined> {
  const each = await Promise.all(pids.map(processCpuSeconds))
  return each.reduce((sum, seconds) => (sum ?? Number.NaN) + (seconds ?? Number.NaN), 0)
}

/** By the process alone, all its threads; undefined where there is no such process. */
async function processCpuSeconds(pid: number): Promise<number | undefined> {
  const times = await readTimes(pid)
  return times && times.own / ticksPerSecond
}

/** By the process and its children, living or ended; undefined as above. */
async function treeCpuSeconds(root: number): Promise<number | undefined> {
  const top = await readTimes(root)
  if (top === undefined) return undefined
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const all = await Promise.all(pids.map(readTimes))
  const children = all.filter((times) => times?.parent === root)
  const ticks = children.reduce((sum, times) => sum + (times?.own ?? 0), top.own + top.ended)
  return ticks / ticksPerSecond
}

/** The postmaster behind a connection; undefined when its processes are not to be seen from here. */
export async function postmasterPid(sql: Sql): Promise<number | undefined> {
  const [backend] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`
  if (backend === undefined) return undefined
  const name = await readFile(`/proc/${backend.pid}/comm`, 'utf8').catch(() => '')
  return name.trim() === 'postgres' ? (await readTimes(backend.pid))?.parent : undefined
}

async function readTimes(pid: number): Promise<Times | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  if (stat === undefined) return undefined
  // Fields as in proc(5), counted from the state (3), which follows the name in parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [parent = 0, user = 0, system = 0, endedUser = 0, endedSystem = 0] = [
    1, 11, 12, 13, 14,
  ].map((index) => fields[index])
  return { parent, own: user + system, ended: endedUser + endedSystem }
}
