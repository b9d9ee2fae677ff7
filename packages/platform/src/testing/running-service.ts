/** What tests and the local stack hold of a backing service that they started themselves. */

/** A server that can be killed as a machine would lose it, and started again with its data and port. */
export type Controllable = {
  /** The server's own process (for a container: its main process). Changes with every start. */
  readonly pid: number
  /** `kill -9`; resolves when the process is gone. */
  kill9: () => Promise<void>
  /** Same port, same data; resolves when the server answers. */
  start: () => Promise<void>
}

export type RunningService = Controllable & { readonly url: string }

export const serviceNames = ['postgres', 'rabbitmq', 'redis'] as const
export type ServiceName = (typeof serviceNames)[number]

/** The services that were started together, and how to end them. */
export type StartedServices = {
  services: Partial<Record<ServiceName, RunningService>>
  stop: () => Promise<void>
}
