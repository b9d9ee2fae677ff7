/**
 * The relay as a component: a service without procedures. What must stay true: before the first event is published,
 * every durable queue that must get it is there. Otherwise an event that only a queue of some passing process
 * takes would count as published, leave the outbox and be lost for the rest.
 */
import { durableQueues } from '@bidmesh/events/queues.ts'
import type { Broker } from '@bidmesh/platform/broker/broker.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { startRelay } from './relay.ts'

export type RelayComponentOptions = {
  /** The write side's database, which has the outbox; its own service creates the table. */
  databaseUrl: string
  /** The component does not close it: in standalone it is everybody's. */
  broker: Broker
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/**
 * Declares the durable queues, waits for the database and returns the running relay. Rejects when the broker
 * refuses a queue (declared before with other arguments).
 */
export async function startRelayComponent(options: RelayComponentOptions): Promise<Component> {
  for (const queue of durableQueues) await options.broker.declare(queue)
  const relay = await startRelay(options)
  return {
    name: 'relay',
    services: [],
    routes: () => undefined,
    check: relay.check,
    stop: relay.stop,
  }
}
