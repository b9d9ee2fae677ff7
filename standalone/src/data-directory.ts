/**
 * Who may use a data directory. The claim is a session-level advisory lock in the directory's own
 * Postgres: it dies with its process, however that ends, and needs no lock file to go stale. Since any start
 * adopts a Postgres that runs already, the loser of a race must leave it running: it is the winner's.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectSingle, reserve, type ReservedSql } from '@bidmesh/platform/postgres/postgres.ts'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'

/** Both halves of the advisory lock: "bid", "data". */
const lock = { class: 0x626964, object: 0x64617461 }

/** Postgres notices within milliseconds that the process of a claim was killed, unless it is starved. */
const releaseLimitMs = 5_000
const releasePollMs = 50

/** The directory serves another process; its message says which, and where that answers. */
export class DataDirectoryInUseError extends StartError {
  override name = 'DataDirectoryInUseError'
}

export type DataDirectoryClaim = { release: () => Promise<void> }

export type ClaimOptions = {
  /** A database of the directory's Postgres. */
  url: string
  /** For the message. */
  dataDir: string
  /** Where this process answers, told to whoever comes second. At most 30 characters survive. */
  address: string
}

/** Claims the directory for as long as this process lives. Throws {@link DataDirectoryInUseError}. */
export async function claimDataDirectory(options: ClaimOptions): Promise<DataDirectoryClaim> {
  const pool = connectSingle(options.url, {
    // The place other processes can read, 63 characters long.
    applicationName: `bidmesh pid ${process.pid} (${options.address})`,
  })
  try {
    const sql = await reserve(pool)
    const deadline = performance.now() + releaseLimitMs
    for (;;) {
      if (await tryLock(sql)) return { release: async () => await pool.end({ timeout: 0 }) }
      const holder = await findHolder(sql)
      const pid = Number(/\bpid (\d+)/.exec(holder ?? '')?.[1])
      const isLeaving = holder === undefined || !isRunning(pid)
      if (!isLeaving || performance.now() > deadline) {
        throw new DataDirectoryInUseError(
          `${options.dataDir} is already used by ${holder ?? 'another process'}. ` +
            'Stop that one, or set BIDMESH_DATA_DIR to another directory.',
        )
      }
      await sleep(releasePollMs)
    }
  } catch (error) {
    await pool.end({ timeout: 0 })
    throw error
  }
}

async function tryLock(sql: ReservedSql): Promise<boolean> {
  const [row] = await sql<{ locked: boolean }[]>`
    SELECT pg_try_advisory_lock(${lock.class}::int, ${lock.object}::int) AS locked`
  return row?.locked === true
}

async function findHolder(sql: ReservedSql): Promise<string | undefined> {
  const [row] = await sql<{ holder: string }[]>`
    SELECT regexp_replace(a.application_name, '^bidmesh ', '') AS holder
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted
      AND l.classid::int8 = ${lock.class} AND l.objid::int8 = ${lock.object} AND l.objsubid = 2`
  return row?.holder
}
