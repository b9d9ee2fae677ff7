/**
 * The relay as a part: a service without procedures. What must stay true: before the first event is published,
 * every durable queue that must get it is there. Otherwise an event that only a queue of some passing process
 * takes would count as published, leave the outbox and be lost for the rest.
 */
import { durableQueues } from '@bidmesh/platform/broker.ts'
import type { Broker } from '@bidmesh/platform/broker.ts'
import type { Log } from '@bidmesh/platform/log.ts'
import type { Part } from '@bidmesh/platform/part.ts'
import { startRelay } from './relay.ts'

export type RelayPartOptions = {
  /** The write side's database, which has the outbox; its own service creates the table. */
  databaseUrl: string
  /** The part does not close it: in standalone it is everybody's. */
  broker: Broker
  log: Log
  /** Gives up waiting for the database. */
  signal: AbortSignal
}

/**
 * Declares the durable queues, waits for the database and returns the running relay. Rejects when the broker
 * refuses a queue (declared before with other arguments).
 */
export async function startRelayPart(options: RelayPartOptions): Promise<Part> {
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
