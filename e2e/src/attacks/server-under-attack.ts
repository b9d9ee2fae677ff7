/** Standalone, with few descriptors and items to bid on: everything a stranger can reach in one process. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { endProcess, isRunning } from '@bidmesh/platform/process/process-end.ts'
import { callJson } from '../call-json.ts'
import { startStandalone } from '../standalone-process.ts'
import { connectMemoryProbe, type MemoryProbe } from './server-memory.ts'

/** Descriptors the server may use. */
export const FILES_MAX = 2_000

/** So many that no bid waits for another's row. */
const ITEMS = 20
const ITEM_LIFE_MS = 24 * 3_600_000

/** It ends at once and recovers never. */
const POSTGRES_END_LIMIT_MS = 10_000

export type ServerUnderAttack = {
  url: string
  port: number
  pid: number
  items: { id: string; nextBid: number }[]
  memory: MemoryProbe
  stop: () => Promise<void>
}

export async function startServerUnderAttack(): Promise<ServerUnderAttack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bidmesh-attacks-'))
  const port = await freePort()
  const removeData = () => rm(dataDir, { recursive: true, force: true })
  try {
    const options = { filesMax: FILES_MAX, isInspected: true }
    const { url, pid, end, errors } = await startStandalone(dataDir, port, options)
    const memory = await connectMemoryProbe(/ws:\S+/.exec(errors())?.[0] ?? '')
    const stop = async (): Promise<void> => {
      memory.close()
      if (!isRunning(pid)) await endPostgres(dataDir)
      await end('SIGTERM')
      await removeData()
    }
    const items = await Promise.all(Array.from({ length: ITEMS }, () => createItem(url)))
    return { url, port, pid, items, memory, stop }
  } catch (error) {
    await removeData()
    throw error
  }
}

/** A server that died has left its Postgres behind, for its next start. There is none. */
async function endPostgres(dataDir: string): Promise<void> {
  const pidFile = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'latin1').catch(() => '')
  const pid = Number.parseInt(pidFile, 10)
  if (pid > 0) await endProcess(pid, [{ signal: 'SIGQUIT', limitMs: POSTGRES_END_LIMIT_MS }])
}

async function createItem(url: string): Promise<{ id: string; nextBid: number }> {
  const { item } = await callJson<{ item: { id: string } }>(url, 'bids.v1.BidService/CreateItem', {
    title: 'Under attack',
    sellerId: 'seller',
    startPrice: 1,
    minIncrement: 1,
    endAt: new Date(Date.now() + ITEM_LIFE_MS).toISOString(),
  })
  return { id: item.id, nextBid: 1 }
}
