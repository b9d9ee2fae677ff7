/**
 * Whether this process should get traffic: every component's dependencies answer and it is not about to end.
 * `/readyz` and `grpc.health.v1` tell the same story because both read it here.
 */
import { messageOf } from './errors.ts'
import type { Component } from './component.ts'
import { withTimeLimit } from './time-limit.ts'

/** A dependency that needs longer than this to say yes is not ready; probes wait 1–5 s themselves. */
const CHECK_LIMIT_MS = 2_000

/** Probes within this time share one answer, so that they cannot load the database. */
const SHARED_FOR_MS = 1_000

export type Readiness = {
  ready: boolean
  /** By component: `ok`, or the reason why not. */
  components: Record<string, string>
  /** Why the process as a whole is not ready although its components may be. */
  reason?: string
}

export type ReadinessProbe = {
  /** Never rejects; at most 2 s. */
  check: () => Promise<Readiness>
  /** From now on not ready, whatever the components say. */
  shutDown: () => void
}

/** What a process depends on, by its name. */
export type Checked = Pick<Component, 'name' | 'check'>

/** `now` is the clock in ms, for tests. */
export function createReadiness(
  components: readonly Checked[],
  now = () => performance.now(),
): ReadinessProbe {
  let shuttingDown = false
  let shared: { answer: Promise<Readiness>; at: number } | undefined
  return {
    check: async () => {
      if (shuttingDown) return { ready: false, components: {}, reason: 'shutting down' }
      if (!shared || now() - shared.at >= SHARED_FOR_MS) {
        shared = { answer: checkComponents(components), at: now() }
      }
      return shared.answer
    },
    shutDown: () => {
      shuttingDown = true
    },
  }
}

async function checkComponents(components: readonly Checked[]): Promise<Readiness> {
  const states = await Promise.all(
    components.map(async (component) => [component.name, await checkComponent(component)] as const),
  )
  return {
    ready: states.every(([, state]) => state === 'ok'),
    components: Object.fromEntries(states),
  }
}

async function checkComponent(component: Checked): Promise<string> {
  try {
    await withTimeLimit(component.check(), CHECK_LIMIT_MS, 'check')
    return 'ok'
  } catch (error) {
    return messageOf(error) || 'failed without saying why'
  }
}
