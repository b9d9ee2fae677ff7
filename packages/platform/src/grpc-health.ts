/**
 * `grpc.health.v1.Health`: the readiness of `/readyz` in the form that gRPC clients, Kubernetes probes
 * and load balancers ask for. The empty name is the whole process; a service's name is its part.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import type { ConnectRouter } from '@connectrpc/connect'
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import type { Part } from './part.ts'
import type { Readiness, ReadinessProbe } from './readiness.ts'

/** How soon a watcher hears of a change; as long as one answer of the readiness probe is shared. */
const WATCH_INTERVAL_MS = 1_000

export type HealthOptions = {
  parts: readonly Part[]
  readiness: ReadinessProbe
  /** Aborts when the server stops: watchers are told and sent away. */
  stopping: AbortSignal
}

/** Adds the health service to the procedures of a process. */
export function registerHealth(router: ConnectRouter, options: HealthOptions): void {
  const partOfService = new Map(
    options.parts.flatMap((part) => part.services.map((service) => [service.typeName, part.name])),
  )
  const statusOf = (name: string, readiness: Readiness): Status => {
    const part = partOfService.get(name)
    if (name !== '' && part === undefined) return Status.SERVICE_UNKNOWN
    const ready = part === undefined ? readiness.ready : readiness.parts[part] === 'ok'
    return ready ? Status.SERVING : Status.NOT_SERVING
  }
  router.service(Health, {
    check: async ({ service }) => {
      const status = statusOf(service, await options.readiness.check())
      if (status !== Status.SERVICE_UNKNOWN) return { status }
      throw new ConnectError(`there is no service ${service} here`, Code.NotFound)
    },
    list: async () => {
      const readiness = await options.readiness.check()
      const names = ['', ...partOfService.keys()]
      const statuses = names.map((name) => [name, { status: statusOf(name, readiness) }])
      return { statuses: Object.fromEntries(statuses) }
    },
    async *watch({ service }, { signal }) {
      const ended = AbortSignal.any([signal, options.stopping])
      let last: Status | undefined
      while (!signal.aborted) {
        const status = statusOf(service, await options.readiness.check())
        if (status !== last) yield { status }
        last = status
        if (options.stopping.aborted) return
        // Wakes early when the call or the server ends.
        await sleep(WATCH_INTERVAL_MS, undefined, { signal: ended }).catch(() => undefined)
      }
    },
  })
}
