/** Where events go on the broker, and before: names that publishers, consumers and operators share. */
import type { DurableQueue, Exchanges } from '@bidmesh/platform/broker/broker.ts'

/** Of Postgres: the bid service notifies it after a commit, the relay listens. */
export const OUTBOX_CHANNEL = 'bidmesh_outbox'

export const exchanges: Exchanges = { events: 'auction.events', dead: 'auction.dead' }

/** The stats service's queue. Bound to everything, so that no type of event is without a queue that keeps it. */
export const statsQueue: DurableQueue = { name: 'stats', bindings: ['#'] }

/**
 * The queues every event must reach that they are bound for, whether or not their consumer has ever run.
 * RabbitMQ counts an event as routed when any queue takes it, an exclusive one as well, so whoever publishes
 * declares these first.
 */
export const durableQueues: readonly DurableQueue[] = [statsQueue]
