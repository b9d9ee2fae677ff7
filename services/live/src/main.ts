/** The live service as a process. */
import { connectBroker } from '@bidmesh/platform/connect-broker.ts'
import { runProcess } from '@bidmesh/platform/run-process.ts'
import { readLiveConfig } from './config.ts'
import { startLive } from './live-component.ts'

await runProcess({
  name: 'live',
  config: readLiveConfig,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectBroker({ url: config.AMQP_URL, log, signal })
    onStop(() => broker.close())
    const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, VIEWERS_MAX: viewersMax } = config
    return [await startLive({ databaseUrl, redisUrl, viewersMax, broker, log, signal })]
  },
})
