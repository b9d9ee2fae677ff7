/** Pools of connections to Postgres, and what a start asks of its database. */
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode, isUnavailable, messageOf } from '../process/errors.ts'
import { answerLimitMs, openDriver, type PostgresOptions, type Sql } from './postgres-driver.ts'
import { renewedPool } from './postgres-pool.ts'
import { expectSettings, refusedParameter, settingNames } from './postgres-settings.ts'
import { StartError } from '../process/start-error.ts'

export { connectSingle, reserve } from './postgres-driver.ts'
export type { PostgresOptions, Queryable, ReservedSql, Sql } from './postgres-driver.ts'

/**
 * For connections that send the same few statements by key: plan once. Left to itself, Postgres plans an
 * `unnest` of arrays anew at each call, because it takes the arrays' lengths for news: 128 bids took 6 ms
 * instead of 3.5. A plan made while a table was empty must not read all of it later.
 */
export const plannedOnce = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' } as const

/**
 * Opens a pool; connects on first use. The caller ends it. When one of its connections is lost, or finds itself on
 * a server that takes reads only (a primary that became a standby, or was fenced off), all are given up and
 * replaced: after a failover the name or proxy of the database leads elsewhere. Queries under way are answered by
 * the old ones.
 */
export function connectPostgres(url: string, options: PostgresOptions): Sql {
  return renewedPool({
    url,
    create: (events) => openDriver(url, options, events),
    limitMs: answerLimitMs(options),
  })
}

/** `SELECT 1`: the server answers. Whether it is of use to us says `checkDatabase`. */
export async function checkPostgres(sql: Sql): Promise<void> {
  await sql`SELECT 1`
}

/**
 * Waits until the database answers, saying so once a second; gives up only when `signal` aborts. What waiting
 * cannot mend is a StartError at once: a wrong password, no such database, a pooler that refuses our settings
 * or leaves them out.
 *
 * @param writes wait also until it takes changes
 */
export async function waitForPostgres(
  sql: Sql,
  log: { warn: (fields: object, message: string) => void },
  { signal, writes = false }: { signal?: AbortSignal | undefined; writes?: boolean } = {},
): Promise<void> {
  for (;;) {
    let reason: string
    try {
      const [server] = await sql<{ reads_only: string }[]>`
        SELECT current_setting('transaction_read_only') AS reads_only`
      if (!writes || server?.reads_only !== 'on') return await checkSettings(sql)
      reason = 'it takes reads only'
    } catch (error) {
      reason = messageOf(error)
      if (error instanceof StartError) throw error
      const refused = refusedParameter(reason)
      if (refused) throw refused
      if (!isWorthWaiting(error)) {
        throw new StartError(`the database cannot be used: ${reason} (is DATABASE_URL right?)`, {
          cause: error,
        })
      }
    }
    log.warn({ reason }, 'waiting for Postgres: is it running, is DATABASE_URL right?')
    await sleep(1_000, undefined, signal ? { signal } : {})
  }
}

/** A password or a database that is not there is a mistake when it was never right. */
function isWorthWaiting(error: unknown): boolean {
  return isUnavailable(error) && !/^(28|3D|42|0A)...$/.test(errorCode(error) ?? '')
}

async function checkSettings(sql: Sql): Promise<void> {
  const rows = await sql<{ name: string; value: string }[]>`
    SELECT name, current_setting(name) AS value FROM unnest(${[...settingNames]}::text[]) AS name`
  expectSettings(rows)
}
