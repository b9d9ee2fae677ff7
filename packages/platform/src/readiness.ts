/**
 * Whether this process should get traffic: every part's dependencies answer and it is not about to end.
 * `/readyz` and `grpc.health.v1` tell the same story because both read it here.
 */
import { messageOf } from './errors.ts'
import type { Part } from './part.ts'
import { withTimeLimit } from './time-limit.ts'

/** A dependency that needs longer than this to say yes is not ready; probes wait 1–5 s themselves. */
const CHECK_LIMIT_MS = 2_000

/** Probes within this time share one answer, so that they cannot load the database. */
const SHARED_FOR_MS = 1_000

export type Readiness = {
  ready: boolean
  /** By part: `ok`, or the reason why not. */
  parts: Record<string, string>
  /** Why the process as a whole is not ready although its parts may be. */
  reason?: string
}

export type ReadinessProbe = {
  /** Never rejects; at most 2 s. */
  check: () => Promise<Readiness>
  /** From now on not ready, whatever the parts say. */
  shutDown: () => void
}

/** `now` is the clock in ms, for tests. */
export function createReadiness(
  parts: readonly Part[],
  now = () => performance.now(),
): ReadinessProbe {
  let shuttingDown = false
  let shared: { answer: Promise<Readiness>; at: number } | undefined
  return {
    check: async () => {
      if (shuttingDown) return { ready: false, parts: {}, reason: 'shutting down' }
      if (!shared || now() - shared.at >= SHARED_FOR_MS) {
        shared = { answer: checkParts(parts), at: now() }
      }
      return shared.answer
    },
    shutDown: () => {
      shuttingDown = true
    },
  }
}

async function checkParts(parts: readonly Part[]): Promise<Readiness> {
  const states = await Promise.all(
    parts.map(async (part) => [part.name, await checkPart(part)] as const),
  )
  return {
    ready: states.every(([, state]) => state === 'ok'),
    parts: Object.fromEntries(states),
  }
}

async function checkPart(part: Part): Promise<string> {
  try {
    await withTimeLimit(part.check(), CHECK_LIMIT_MS, 'check')
    return 'ok'
  } catch (error) {
    return messageOf(error) || 'failed without saying why'
  }
}
