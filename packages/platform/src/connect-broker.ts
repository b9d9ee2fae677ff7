/** Which broker a URL means: RabbitMQ for `amqp(s)://…`, the one inside this process for `memory:`. */
import { createMemoryBroker } from './broker-memory.ts'
import type { Broker, BrokerLog } from './broker.ts'

export type BrokerOptions = {
  /** `AMQP_URL`, or `memory:`. */
  url: string
  log: BrokerLog
  /** Put before every exchange and queue name on RabbitMQ: tests share a broker without meeting. */
  namespace?: string
  /** Ends the wait for a RabbitMQ that is away; the call then rejects. */
  signal?: AbortSignal
}

/** Connects and waits, if it must, until the broker is there. Throws on any other kind of URL. */
export async function connectBroker(options: BrokerOptions): Promise<Broker> {
  const protocol = URL.parse(options.url)?.protocol
  if (protocol === 'memory:') return createMemoryBroker(options)
  if (protocol === 'amqp:' || protocol === 'amqps:') {
    // Loaded when it is needed: standalone has no use for it, and every megabyte counts there.
    const { connectRabbitBroker } = await import('./broker-rabbitmq.ts')
    return await connectRabbitBroker(options)
  }
  throw new Error('AMQP_URL must begin with amqp://, amqps:// or memory:')
}
