/**
 * The durable quorum queue of the statistics: what a relay's messages and the raw publisher's go to. The relay
 * declares it and publishes nothing while it is missing. Raw publishing is what amqplib and RabbitMQ can do at best: one confirm
 * channel, bodies without CloudEvents headers, a full window of unconfirmed messages.
 */
import { connect } from 'amqplib'
import { exchanges, statsQueue } from '@bidmesh/events/queues.ts'
import {
  declareExchanges,
  declareQueue,
  topologyOf,
} from '@bidmesh/platform/broker/rabbitmq-topology.ts'

/** As many in flight as the relay has with all of its shards at work. */
const rawWindow = 8_000

const { name } = statsQueue

export type BenchQueue = {
  /** Publishes every payload, persistent and mandatory; resolves when the last is confirmed. */
  publishRaw: (routingKey: string, payloads: readonly Buffer[]) => Promise<void>
  /** Messages now in the queue. */
  count: () => Promise<number>
  /** Returns how many there were. */
  purge: () => Promise<number>
  /** RabbitMQ's version. */
  version: string
  /** The queue stays. */
  close: () => Promise<void>
}

export async function openBenchQueue(amqpUrl: string): Promise<BenchQueue> {
  const connection = await connect(amqpUrl)
  const channel = await connection.createConfirmChannel()
  const topology = topologyOf(exchanges)
  await declareExchanges(channel, topology)
  await declareQueue(channel, topology, statsQueue)
  await channel.purgeQueue(name)
  const { version } = connection.connection.serverProperties

  async function publishRaw(routingKey: string, payloads: readonly Buffer[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    let sent = 0
    let confirmed = 0
    function fill(): void {
      while (sent < payloads.length && sent - confirmed < rawWindow) {
        const payload = payloads[sent]
        sent += 1
        if (payload) {
          channel.publish(topology.events, routingKey, payload, options, onConfirm)
        }
      }
    }
    function onConfirm(error: unknown): void {
      if (error) {
        reject(new Error('RabbitMQ refused a message', { cause: error }))
        return
      }
      confirmed += 1
      if (confirmed === payloads.length) resolve(undefined)
      else if (sent - confirmed < rawWindow / 2) fill()
    }
    fill()
    await promise
  }

  return {
    publishRaw,
    count: async () => (await channel.checkQueue(name)).messageCount,
    purge: async () => (await channel.purgeQueue(name)).messageCount,
    version,
    close: () => connection.close(),
  }
}

const options = { persistent: true, mandatory: true } as const
