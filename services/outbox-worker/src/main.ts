/** The relay as a process. */
import { connectBroker } from '@bidmesh/platform/connect-broker.ts'
import { runProcess } from '@bidmesh/platform/run-process.ts'
import { readRelayConfig } from './config.ts'
import { startRelayComponent } from './relay-component.ts'

await runProcess({
  name: 'outbox-worker',
  config: readRelayConfig,
  yields: true,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectBroker({ url: config.AMQP_URL, log, signal })
    onStop(() => broker.close())
    return [await startRelayComponent({ databaseUrl: config.DATABASE_URL, broker, log, signal })]
  },
})
