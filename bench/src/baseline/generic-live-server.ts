/**
 * What the streams of the live service are held against: the same process with the same hub, without its own
 * answering of streams, so that connect-node's generic server streaming writes each message for each viewer.
 */
import { exchanges } from '@bidmesh/events/queues.ts'
import { connectRabbitBroker } from '@bidmesh/platform/broker/broker-rabbitmq.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { connectService } from '@bidmesh/platform/rpc/service-client.ts'
import { readLiveConfig } from '@bidmesh/live/config.ts'
import { startLive } from '@bidmesh/live/live-component.ts'

await runProcess({
  name: 'live-generic',
  config: readLiveConfig,
  start: async (config, { log, signal, onStop }) => {
    const broker = await connectRabbitBroker({ url: config.AMQP_URL, exchanges, log, signal })
    onStop(() => broker.close())
    const bid = connectService('bid', config.BID_URL)
    onStop(async () => bid.close())
    const { REDIS_URL: redisUrl, VIEWERS_MAX: viewersMax } = config
    const live = await startLive({ bidService: bid.transport, redisUrl, viewersMax, broker, log })
    return [withoutHandle(live)]
  },
})

function withoutHandle(component: Component): Component {
  const rest = { ...component }
  delete rest.handle
  return rest
}
