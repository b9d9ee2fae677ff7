/**
 * How often one caller, and one address, may call. Each process counts for itself, and nobody waits for more than that; what one
 * caller uses up noticeably is added together in Redis behind their backs, and whoever is beyond the limit there is held off
 * here for the rest of the time. So a Redis that is away, slow or silent costs no call a millisecond: the limits are each process's own meanwhile.
 */
import { Limit, LimitSchema, Role } from '@bidmesh/gen/auth/v1/permission_pb.ts'
import { Code, ConnectError, createContextKey } from '@connectrpc/connect'
import { metrics } from '@opentelemetry/api'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Log } from '../process/log.ts'
import { connectRedis, type Redis, redisUp } from '../redis/redis.ts'
import type { HttpRequest } from '../server/http-handler.ts'
import { clientAddress, neighbourhood } from './client-address.ts'
import { hasRole, type Principal } from './principal.ts'

/** Long enough for a page that asks for twenty things at once, short enough to wait for. */
const WINDOW_S = 10

/**
 * Calls in {@link WINDOW_S} of one caller, and of one address: behind one there may be a household, an office or a campus.
 * What somebody does by hand is far below; what is beyond is a program, which can wait.
 */
const rates = {
  [Limit.READ]: { caller: 300, address: 3_000 },
  [Limit.STREAM]: { caller: 60, address: 1_000 },
  [Limit.BID]: { caller: 100, address: 1_000 },
  [Limit.ITEM]: { caller: 20, address: 200 },
  [Limit.CHAT]: { caller: 20, address: 200 },
} as const

type Limited = keyof typeof rates

function isLimited(limit: Limit): limit is Limited {
  return limit in rates
}

/** Their programs read for many: so many times what others may. */
const OFFICE_TIMES = 10
const office = [Role.OPERATOR, Role.ANALYST]

/** Who has used less than this part of a limit here need not be known elsewhere. */
const SHARED_FROM = 0.1
/** Between two additions in Redis: so long may a caller go on in one process when another has used up all. */
const SHARE_EVERY_MS = 250
/** Additions at once; more are a flood of callers, each of whom is held off where they are. */
const SHARED_MAX = 2_000

export type CallLimits = {
  /**
   * Counts a call.
   *
   * @returns undefined: nothing is limited. Otherwise resolves, never rejects: with what the caller is told when it
   * is one too many.
   */
  take: (
    limit: Limit,
    principal: Principal,
    request: HttpRequest,
  ) => Promise<ConnectError | undefined> | undefined
  stop: () => void
}

/** Counts a call that the library answers. */
export const limitKey = createContextKey<
  (limit: Limit) => Promise<ConnectError | undefined> | undefined
>(() => undefined, { description: 'limit' })

export const noLimits: CallLimits = { take: () => undefined, stop: () => undefined }

export type CallLimitsOptions = {
  /** By which all limits are multiplied; 0: none. */
  factor: number
  /** Absent: each process for itself. */
  redisUrl: string | undefined
  log: Log
}

/** To be made when telemetry has been started. */
export async function createCallLimits(options: CallLimitsOptions): Promise<CallLimits> {
  const { factor, redisUrl, log } = options
  if (factor === 0) return noLimits
  const redis = redisUrl ? await connectRedis(redisUrl, { log }) : undefined
  const refused = metrics.getMeter('bidmesh').createCounter('bidmesh.calls.limited', {
    description: 'Calls refused because their caller, or their address, calls too often',
  })
  const meters = new Map<string, Meter>()
  const meterOf = (name: string, points: number): Meter => {
    const known = meters.get(name)
    if (known) return known
    const made = createMeter(name, Math.max(1, Math.round(points * factor)), redis)
    meters.set(name, made)
    return made
  }
  const sharing = setInterval(() => {
    for (const meter of meters.values()) meter.share()
  }, SHARE_EVERY_MS).unref()

  async function take(limit: Limited, principal: Principal, request: HttpRequest) {
    const rate = rates[limit]
    const word = LimitSchema.value[limit]?.localName.toLowerCase() ?? ''
    const isOffice = hasRole(principal, office)
    const times = isOffice ? OFFICE_TIMES : 1
    const counted = [
      principal.kind === 'identified' && {
        by: 'caller',
        meter: meterOf(`${word}:${isOffice ? 'office' : 'caller'}`, rate.caller * times),
        key: principal.subject,
      },
      {
        by: 'address',
        meter: meterOf(`${word}:address`, rate.address),
        key: neighbourhood(clientAddress(request)),
      },
    ]
    for (const one of counted) {
      const waitMs = one && (await one.meter.take(one.key))
      if (!one || !waitMs) continue
      refused.add(1, { limit: word, by: one.by })
      return tooOften(one.by, waitMs)
    }
    return undefined
  }

  return {
    take(limit, principal, request) {
      if (!isLimited(limit) || hasRole(principal, [Role.SERVICE])) return undefined
      return take(limit, principal, request)
    },
    stop() {
      clearInterval(sharing)
      redis?.disconnect()
    },
  }
}

function tooOften(by: string, waitMs: number): ConnectError {
  const seconds = String(Math.ceil(waitMs / 1_000))
  const who = by === 'caller' ? 'you call' : 'your address calls'
  const message = `${who} too often: send it again in ${seconds} s`
  return new ConnectError(message, Code.ResourceExhausted, { 'retry-after': seconds })
}

type Meter = {
  /** Counts one more; resolves with the ms to wait when it is too many. */
  take: (key: string) => Promise<number | undefined>
  /** Adds what was counted to what others have counted. */
  share: () => void
}

function createMeter(name: string, points: number, redis: Redis | undefined): Meter {
  const here = new RateLimiterMemory({ points, duration: WINDOW_S })
  const shared =
    redis &&
    new RateLimiterRedis({
      storeClient: redis,
      points,
      duration: WINDOW_S,
      keyPrefix: `bidmesh:limit:${name}`,
      rejectIfRedisNotReady: true,
    })
  const sharedFrom = Math.max(1, points * SHARED_FROM)
  /** Not added yet. */
  let counts = new Map<string, number>()

  return {
    async take(key) {
      try {
        const { consumedPoints } = await here.consume(key)
        if (!shared || consumedPoints < sharedFrom) return undefined
        const first = consumedPoints < sharedFrom + 1
        const count = counts.get(key) ?? 0
        if (count > 0 || counts.size < SHARED_MAX)
          counts.set(key, count + (first ? consumedPoints : 1))
        return undefined
      } catch (error) {
        if (error instanceof RateLimiterRes) return error.msBeforeNext
        throw error
      }
    },
    share() {
      const added = counts
      counts = new Map()
      // Counts of an outage are of windows that are over: added at its end they would hold off who is within the limit.
      if (!redis || !redisUp(redis)) return
      for (const [key, count] of added) {
        shared?.consume(key, count).catch((error: unknown) => {
          // Anything else is a Redis that is away.
          if (error instanceof RateLimiterRes)
            void here.block(key, Math.max(1, error.msBeforeNext / 1_000))
        })
      }
    },
  }
}
