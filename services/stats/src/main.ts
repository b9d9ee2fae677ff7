/** The stats service as a process. */
import { connectBroker } from '@bidmesh/platform/connect-broker.ts'
import { runProcess } from '@bidmesh/platform/run-process.ts'
import { readStatsConfig } from './config.ts'
import { startStats } from './stats-component.ts'

await runProcess({
  name: 'stats',
  config: readStatsConfig,
  yields: true,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectBroker({ url: config.AMQP_URL, log, signal })
    onStop(() => broker.close())
    const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, MIGRATIONS: migrations } = config
    return [await startStats({ databaseUrl, redisUrl, migrations, broker, log, signal })]
  },
})
