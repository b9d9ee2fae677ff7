/** The relay as a process. */
import { exchanges } from '@bidmesh/events/queues.ts'
import { connectRabbitBroker } from '@bidmesh/platform/broker/broker-rabbitmq.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { readRelayConfig } from './config.ts'
import { startRelayComponent } from './relay-component.ts'

await runProcess({
  name: 'outbox-worker',
  config: readRelayConfig,
  yields: true,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectRabbitBroker({ url: config.AMQP_URL, exchanges, log, signal })
    onStop(() => broker.close())
    return [await startRelayComponent({ databaseUrl: config.DATABASE_URL, broker, log, signal })]
  },
})
