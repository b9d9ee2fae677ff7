/** The live service as a process. */
import { exchanges } from '@bidmesh/events/queues.ts'
import { connectService } from '@bidmesh/platform/rpc/service-client.ts'
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
    const bid = connectService('bid', config.BID_URL, { tokenFile: config.SERVICE_TOKEN_FILE })
    onStop(async () => bid.close())
    const { REDIS_URL: redisUrl, VIEWERS_MAX: viewersMax } = config
    return [await startLive({ bidService: bid.transport, redisUrl, viewersMax, broker, log })]
  },
})
