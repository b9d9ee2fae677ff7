/**
 * `grpc.health.v1.Health`: the readiness of `/readyz` in the form that gRPC clients, Kubernetes probes
 * and load balancers ask for. The empty name is the whole process; a service's name is its component.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import type { ConnectRouter } from '@connectrpc/connect'
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import type { Component } from '../process/component.ts'
import type { Readiness, ReadinessProbe } from '../process/readiness.ts'

/** How soon a watcher hears of a change; as long as one answer of the readiness probe is shared. */
const WATCH_INTERVAL_MS = 1_000

/** Each costs about 50 kB as long as it lasts. Load balancers and clients have one each; probes use Check. */
export const WATCHES_MAX = 256

export type HealthOptions = {
  components: readonly Component[]
  readiness: ReadinessProbe
  /** Aborts when the server stops: watchers are told and sent away. */
  stopping: AbortSignal
}

/** Adds the health service to the procedures of a process. */
export function registerHealth(router: ConnectRouter, options: HealthOptions): void {
  const componentOfService = new Map(
    options.components.flatMap((component) =>
      component.services.map((service) => [service.typeName, component.name]),
    ),
  )
  const statusOf = (name: string, readiness: Readiness): Status => {
    const component = componentOfService.get(name)
    if (name !== '' && component === undefined) return Status.SERVICE_UNKNOWN
    const ready =
      component === undefined ? readiness.ready : readiness.components[component] === 'ok'
    return ready ? Status.SERVING : Status.NOT_SERVING
  }
  const changes = createChanges(options)
  let watches = 0
  router.service(Health, {
    check: async ({ service }) => {
      const status = statusOf(service, await options.readiness.check())
      if (status !== Status.SERVICE_UNKNOWN) return { status }
      throw new ConnectError(`there is no service ${service} here`, Code.NotFound)
    },
    list: async () => {
      const readiness = await options.readiness.check()
      const names = ['', ...componentOfService.keys()]
      const statuses = names.map((name) => [name, { status: statusOf(name, readiness) }])
      return { statuses: Object.fromEntries(statuses) }
    },
    async *watch({ service }, { signal }) {
      if (watches >= WATCHES_MAX) {
        const message = `${WATCHES_MAX} callers are watching already: use Check`
        throw new ConnectError(message, Code.ResourceExhausted)
      }
      watches += 1
      try {
        let last: Status | undefined
        while (!signal.aborted) {
          const seen = changes.count()
          const status = statusOf(service, await options.readiness.check())
          if (status !== last) yield { status }
          last = status
          if (options.stopping.aborted) return
          await changes.after(seen, signal)
        }
      } finally {
        watches -= 1
      }
    },
  })
}

type Changes = {
  /** How many there have been. */
  count: () => number
  /** Resolves once there have been more, or when the call ends. */
  after: (seen: number, signal: AbortSignal) => Promise<void>
}

/** One look a second for all watchers, and none while nobody watches: 20,000 timers made bids take 9 s. */
function createChanges({ readiness, stopping }: HealthOptions): Changes {
  const waiting = new Set<() => void>()
  let count = 0
  let known = ''
  let timer: NodeJS.Timeout | undefined
  const changed = () => {
    count += 1
    for (const wake of waiting) wake()
  }
  const look = async () => {
    const now = JSON.stringify(await readiness.check())
    if (now !== known) changed()
    known = now
  }
  stopping.addEventListener('abort', changed)
  return {
    count: () => count,
    after: async (seen, signal) => {
      if (count !== seen || signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      const ended = () => resolve()
      signal.addEventListener('abort', ended)
      timer ??= setInterval(() => void look(), WATCH_INTERVAL_MS).unref()
      await promise
      signal.removeEventListener('abort', ended)
      waiting.delete(resolve)
      if (waiting.size > 0) return
      clearInterval(timer)
      timer = undefined
    },
  }
}
