/**
 * The only module that knows postgres.js, with `postgres-pool.ts` and `postgres-socket.ts`. `int8` arrives as
 * `bigint`, `timestamptz` as `Date`; statements are prepared and pipelined. Durability is the server's default and
 * is never turned off here.
 */
import postgres from 'postgres'
import { arrayType } from './postgres-arrays.ts'
import { bytesType, startupParameters, timeType } from './postgres-settings.ts'
import { withSockets } from './postgres-socket.ts'

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
  /**
   * Longest single statement; 0 is unlimited. The server ends it then, and {@link answerLimitMs} is when we
   * no longer wait for the server.
   */
  statementTimeoutMs?: number
  /** Further settings of the connection, e.g. of the planner. */
  settings?: Readonly<Record<string, string>>
}

export type PoolEvents = {
  /** One of the pool's sockets has ended. */
  onLost: () => void
  /** A connection has been told so: with its first answer, or at any later one. */
  onReadOnly: () => void
  /** A notification has come, of any channel that was listened to. */
  onNotification?: () => void
}

/** For the way there and back of a statement that the server has ended, on a busy machine. */
const ANSWER_ALLOWANCE_MS = 1_000

/**
 * How long an answer may take: what the server grants the statement, and the way. The server's limit is of no
 * use in a black hole; silence beyond this one is what finds it. Node has no `TCP_USER_TIMEOUT`, and keepalive
 * asks idle connections only. Undefined for statements without a limit.
 */
export function answerLimitMs({
  statementTimeoutMs = 0,
}: Pick<PostgresOptions, 'statementTimeoutMs'>): number | undefined {
  return statementTimeoutMs === 0 ? undefined : statementTimeoutMs + ANSWER_ALLOWANCE_MS
}

/** How this project talks to Postgres. */
function postgresSettings(options: PostgresOptions) {
  return {
    max: options.max,
    types: { bigint: postgres.BigInt, array: arrayType, bytea: bytesType, date: timeType },
    fetch_types: false,
    // A pool that recycles a connection under a lane would only add reconnects.
    max_lifetime: null,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    // The driver's own back-off grows to 20 s; a database that is back should be used at once.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1),
    onnotice: () => undefined,
    // The driver's type wants numbers for some, which it would leave out when they are 0.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    connection: startupParameters(
      options.applicationName,
      {
        lockTimeoutMs: options.lockTimeoutMs ?? 0,
        statementTimeoutMs: options.statementTimeoutMs ?? 0,
      },
      options.settings ?? {},
    ) as { application_name: string },
  } as const
}

/** A server that takes longer to accept a connection is treated as unavailable. */
const CONNECT_TIMEOUT_SECONDS = 5

/** Whether the server takes reads only, as it says with each connection and at each change. */
export function isReadOnly({ parameters }: SinglePool): boolean {
  const said: Readonly<Record<string, unknown>> = parameters
  return said['in_hot_standby'] === 'on' || said['default_transaction_read_only'] === 'on'
}

function saysReadOnly(parameter: string, { settings }: PostgresOptions): boolean {
  if (parameter === 'in_hot_standby') return true
  // Unless it is we who asked for it.
  return parameter === 'default_transaction_read_only' && settings?.[parameter] === undefined
}

/** Opens a pool of one; connects on first use. `onLost` is called whenever a connection has ended. */
export function connectSingle(
  url: string,
  options: Omit<PostgresOptions, 'max'>,
  onLost: () => void = () => undefined,
): SinglePool {
  return openDriver(url, { ...options, max: 1 }, { onLost, onReadOnly: () => undefined })
}

/** A pool of the driver; connects on first use. */
export function openDriver(url: string, options: PostgresOptions, events: PoolEvents): SinglePool {
  return withSockets((socket) => {
    const onparameter = (name: string, value: string): void => {
      if (value === 'on' && saysReadOnly(name, options)) events.onReadOnly()
    }
    // Keepalive is set by whoever opens the socket. TLS takes all listeners off it: then only the driver tells.
    const ours = {
      socket,
      keep_alive: null,
      onparameter,
      onclose: events.onLost,
      onnotify: events.onNotification,
    }
    const settings = { ...postgresSettings(options), ...ours }
    return postgres(url, settings)
  }, events.onLost)
}

/**
 * The pool's one connection, kept until the pool ends. It has to be open before it is asked for: without
 * `fetch_types`, postgres.js 3.4.9 never answers a `reserve` or `begin` that opens a connection itself.
 * Nothing closes it between the two lines, since no input is read there.
 */
export async function reserve(pool: SinglePool): Promise<ReservedSql> {
  await pool`SELECT 1`
  return await pool.reserve()
}
