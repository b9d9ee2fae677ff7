/** The relay as a part: a service without procedures. */
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

/** Waits for the database and returns the running relay. */
export async function startRelayPart(options: RelayPartOptions): Promise<Part> {
  const relay = await startRelay(options)
  return {
    name: 'relay',
    services: [],
    routes: () => undefined,
    check: relay.check,
    stop: relay.stop,
  }
}
