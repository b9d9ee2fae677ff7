import { connect } from 'amqplib'
import { afterEach, expect, test } from 'vitest'
import { closeChannel } from './rabbitmq-connection.ts'
import { startAmqpProxy } from '../testing/test-brokers.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function openChannel() {
  const { proxy, url } = await startAmqpProxy()
  cleanups.push(proxy.close)
  const connection = await connect(url)
  // The cut is what the test is about.
  connection.on('error', () => undefined)
  return { proxy, connection, channel: await connection.createChannel() }
}

test('a channel is closed, and once is enough', async () => {
  const { connection, channel } = await openChannel()
  await closeChannel(channel)
  await closeChannel(channel)
  await expect(async () => channel.checkExchange('amq.topic')).rejects.toThrow('closed')
  await connection.close()
})

test('closing a channel ends with the connection when RabbitMQ does not answer', async () => {
  const { proxy, channel } = await openChannel()
  proxy.freeze()
  const closing = closeChannel(channel)
  await proxy.refuse()
  await expect(closing).resolves.toBeUndefined()
})
