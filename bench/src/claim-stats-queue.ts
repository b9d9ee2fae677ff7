/**
 * The stats service's queue, for as long as a scenario has a stats service or a relay, which declares it: it
 * must not hold what others publish before or after, or the next scenario's consumer would count it.
 */
import { connect } from 'amqplib'

const names = ['stats', 'stats.dead'] as const

/**
 * `cleanup` deletes the queue with all that is left in it. Throws when it exists already: whose RabbitMQ this is, others use it.
 */
export async function claimStatsQueue(
  cleanup: AsyncDisposableStack,
  amqpUrl: string,
): Promise<void> {
  const connection = cleanup.adopt(await connect(amqpUrl), (each) => each.close())
  const probe = await connection.createChannel()
  // The server closes a channel that asks for what is not there; that is the answer hoped for.
  probe.on('error', () => undefined)
  const exists = await probe.checkQueue(names[0]).then(
    () => true,
    () => false,
  )
  if (exists) {
    throw new Error(
      `RabbitMQ has a queue "${names[0]}" already: give the bench a RabbitMQ of its own, or delete it`,
    )
  }
  cleanup.defer(async () => {
    const channel = await connection.createChannel()
    for (const name of names) await channel.deleteQueue(name)
    await channel.close()
  })
}
