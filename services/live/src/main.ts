/** The live service as a process. */
import { exchanges } from '@bidmesh/events/queues.ts'
import { connectRabbitBroker } from '@bidmesh/platform/broker/broker-rabbitmq.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { readLiveConfig } from './config.ts'
import { startLive } from './live-component.ts'

await runProcess({
  name: 'live',
  config: readLiveConfig,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectRabbitBroker({ url: config.AMQP_URL, exchanges, log, signal })
    onStop(() => broker.close())
    const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, VIEWERS_MAX: viewersMax } = config
    return [await startLive({ databaseUrl, redisUrl, viewersMax, broker, log, signal })]
  },
})
