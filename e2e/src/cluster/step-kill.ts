/** A pod of each kind is deleted while bids are placed. */
import { bidsFlow, underLoad, words } from './cluster-load.ts'
import { holdInvariants } from './cluster-databases.ts'
import type { ClusterWorld } from './cluster-world.ts'

/** In an order in which the worst comes last. */
const kinds = [
  'deployment/bidmesh-web',
  'deployment/bidmesh-auctioneer',
  'deployment/bidmesh-outbox-worker',
  'deployment/bidmesh-stats',
  'deployment/bidmesh-live',
  'deployment/bidmesh-bid',
  'statefulset/bidmesh-redis',
  'statefulset/bidmesh-rabbitmq',
  'statefulset/bidmesh-postgres',
] as const

export async function kill(world: ClusterWorld): Promise<string> {
  const { kubectl } = world
  const pauses: string[] = []
  const report = await underLoad(world, async (load) => {
    for (const kind of kinds) {
      await bidsFlow(load)
      load.takePauseMs()
      const component = kind.slice(kind.indexOf('-') + 1)
      const selector = `app.kubernetes.io/component=${component}`
      const pods = await kubectl('get', 'pods', '--selector', selector, '--output', 'name')
      const [victim = ''] = pods.split('\n')
      await kubectl('delete', victim)
      await kubectl('rollout', 'status', kind, '--timeout=5m')
      await bidsFlow(load)
      pauses.push(`${component} ${load.takePauseMs()} ms`)
    }
  })
  return `longest pause of bidding: ${pauses.join(', ')}; ${words(report)}; ${await holdInvariants(world)}`
}
