/**
 * What is declared on RabbitMQ: the topic exchange of events, the dead-letter exchange, and per
 * consumer a quorum queue with its dead queue, or a queue of one connection that vanishes with it. RabbitMQ
 * refuses a queue that exists with other arguments, so a change of arguments here needs a new queue name or a
 * migration.
 *
 * The delivery limit. RabbitMQ counts how often a message came back, and past the limit takes it out of the
 * queue: to the dead-letter exchange if there is one, to nowhere otherwise (4.x has a limit of 20 when none is
 * set). Tried on 3.10: a closed channel, a lost connection (`kill -9`) and a requeueing nack each count one for
 * *every* prefetched message, innocent or not, and a limit of -1 drops a message at its first return. Hence a
 * limit far above what crashes and deployments add up to, and at-least-once dead-lettering behind it: a message
 * that kills its consumer each time ends in the dead queue after a thousand crashes, and none is ever dropped.
 */
import type { Channel } from 'amqplib'
import type { DurableQueue, Exchanges, QueueSpec } from './broker.ts'

/** Returns of one message before it is put aside; see above. */
const DELIVERY_LIMIT = 1_000
/** People look at dead letters and put them back: that must never count towards losing one. */
const DEAD_DELIVERY_LIMIT = 1_000_000
/** Most messages an exclusive queue keeps for a consumer that does not keep up: 100 s at 1,000 a second. */
const EXCLUSIVE_MAX_LENGTH = 100_000

/** Names on the broker, prefixed so that tests share one without meeting. */
export type Topology = Exchanges & {
  name: (queue: string) => string
}

/** `namespace` is put before every name; none for production. */
export function topologyOf({ events, dead }: Exchanges, namespace?: string): Topology {
  const name = (plain: string) => (namespace === undefined ? plain : `${namespace}.${plain}`)
  return { events: name(events), dead: name(dead), name }
}

/** Both exchanges. */
export async function declareExchanges(channel: Channel, topology: Topology): Promise<void> {
  await channel.assertExchange(topology.events, 'topic', { durable: true })
  await channel.assertExchange(topology.dead, 'direct', { durable: true })
}

/**
 * A queue bound to its keys; returns its name on the broker. A durable one gets its dead queue with it, and
 * its bindings are added, never removed. An exclusive one is new each time, named by the server, seen by this
 * connection only, and deleted with its consumer or its connection.
 */
export async function declareQueue(
  channel: Channel,
  topology: Topology,
  queue: DurableQueue | QueueSpec,
  exclusiveMaxLength: number = EXCLUSIVE_MAX_LENGTH,
): Promise<string> {
  const name = queue.exclusive
    ? await assertExclusive(channel, exclusiveMaxLength)
    : await assertDurable(channel, topology, queue)
  for (const key of queue.bindings) await channel.bindQueue(name, topology.events, key)
  return name
}

/** What it holds is worth nothing without the process, so it is neither replicated nor written to disk. */
async function assertExclusive(channel: Channel, maxLength: number): Promise<string> {
  const { queue } = await channel.assertQueue('', {
    exclusive: true,
    autoDelete: true,
    durable: false,
    arguments: {
      'x-queue-type': 'classic',
      'x-max-length': maxLength,
      'x-overflow': 'drop-head',
    },
  })
  return queue
}

async function assertDurable(
  channel: Channel,
  topology: Topology,
  queue: DurableQueue,
): Promise<string> {
  const name = topology.name(queue.name)
  const deadName = `${name}.dead`
  await channel.assertQueue(deadName, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': DEAD_DELIVERY_LIMIT },
  })
  await channel.bindQueue(deadName, topology.dead, name)
  await channel.assertQueue(name, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': DELIVERY_LIMIT,
      'x-dead-letter-exchange': topology.dead,
      'x-dead-letter-routing-key': name,
      'x-dead-letter-strategy': 'at-least-once',
      // At-least-once dead-lettering asks for it; without a maximum length it rejects nothing.
      'x-overflow': 'reject-publish',
    },
  })
  return name
}
