/** The stats service as a process. */
import { exchanges } from '@bidmesh/events/queues.ts'
import { connectRabbitBroker } from '@bidmesh/platform/broker/broker-rabbitmq.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { readStatsConfig } from './config.ts'
import { startStats } from './stats-component.ts'

await runProcess({
  name: 'stats',
  config: readStatsConfig,
  yields: true,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectRabbitBroker({ url: config.AMQP_URL, exchanges, log, signal })
    onStop(() => broker.close())
    const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, MIGRATIONS: migrations } = config
    return [await startStats({ databaseUrl, redisUrl, migrations, broker, log, signal })]
  },
})
