/**
 * The only module that knows postgres.js. `int8` arrives as `bigint`, `timestamptz` as `Date`; statements
 * are prepared and pipelined. Durability is the server's default and is never turned off here.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { isUnavailable, messageOf } from './errors.ts'
import { arrayType } from './postgres-arrays.ts'

/** A pool of one connection, which can be reserved. */
export type SinglePool = postgres.Sql<{ bigint: bigint }>
/** A pool, without the `begin` and `reserve` that may never answer (see {@link reserve}). */
export type Sql = Queryable & Pick<SinglePool, 'end'>
/** Anything a statement can be sent on: a pool, a transaction, a reserved connection. */
export type Queryable = postgres.ISql<{ bigint: bigint }>
export type ReservedSql = postgres.ReservedSql<{ bigint: bigint }>

export type PostgresOptions = {
  /** Most connections (1–100). */
  max: number
  /** Shown in `pg_stat_activity`. */
  applicationName: string
  /** Longest wait for a row lock; 0 waits for ever. */
  lockTimeoutMs?: number
  /** Longest single statement; 0 is unlimited. */
  statementTimeoutMs?: number
  /** Further settings of the connection, e.g. of the planner. */
  settings?: Readonly<Record<string, string>>
}

/**
 * For connections that send the same few statements by key: plan once. Left to itself, Postgres plans an
 * `unnest` of arrays anew at each call, because it takes the arrays' lengths for news: 128 bids took 6 ms
 * instead of 3.5. A plan made while a table was empty must not read all of it later.
 */
export const plannedOnce = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' } as const

/** How this project talks to Postgres. */
function postgresSettings(options: PostgresOptions) {
  return {
    max: options.max,
    types: { bigint: postgres.BigInt, array: arrayType },
    fetch_types: false,
    // A pool that recycles a connection under a lane would only add reconnects.
    max_lifetime: null,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    // The driver's own back-off grows to 20 s; a database that is back should be used at once.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1),
    onnotice: () => undefined,
    connection: {
      application_name: options.applicationName,
      lock_timeout: options.lockTimeoutMs ?? 0,
      statement_timeout: options.statementTimeoutMs ?? 0,
      ...options.settings,
    },
  } as const
}

/** A server that takes longer to accept a connection is treated as away. */
const CONNECT_TIMEOUT_SECONDS = 5

/** Opens a pool; connects on first use. The caller ends it. */
export function connectPostgres(url: string, options: PostgresOptions): Sql {
  return postgres(url, postgresSettings(options))
}

/** Opens a pool of one; connects on first use. `onClose` is called whenever a connection has ended. */
export function connectSingle(
  url: string,
  options: Omit<PostgresOptions, 'max'>,
  onClose: () => void = () => undefined,
): SinglePool {
  return postgres(url, { ...postgresSettings({ ...options, max: 1 }), onclose: onClose })
}

/**
 * The pool's one connection, kept until the pool ends. It has to be open before it is asked for: without
 * `fetch_types`, postgres.js 3.4.9 never answers a `reserve` or `begin` that opens a connection itself.
 * Nothing closes it between the two lines, since no input is read there.
 */
export async function reserve(pool: SinglePool): Promise<ReservedSql> {
  await checkPostgres(pool)
  return await pool.reserve()
}

/** `SELECT 1`, for `/readyz`. */
export async function checkPostgres(sql: Sql): Promise<void> {
  await sql`SELECT 1`
}

/**
 * Waits until the database answers, saying so once a second; gives up only when `signal` aborts. Errors
 * that waiting cannot mend (wrong password, no such database) are thrown at once.
 */
export async function waitForPostgres(
  sql: Sql,
  log: { warn: (fields: object, message: string) => void },
  signal?: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      return await checkPostgres(sql)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      log.warn(
        { reason: messageOf(error) },
        'waiting for Postgres: is it running, is DATABASE_URL right?',
      )
      await sleep(1_000, undefined, signal ? { signal } : {})
    }
  }
}
