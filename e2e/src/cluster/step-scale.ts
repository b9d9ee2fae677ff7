/** The autoscaler adds processes under load and takes them away after it, unnoticed by bidders and viewers. */
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { underLoad, words } from './cluster-load.ts'
import { type ClusterWorld, installChart } from './cluster-world.ts'
import { command } from './command.ts'

/** CPU is measured every 15 s or so, and the autoscaler looks as often. */
const scalingLimitMs = 300_000
const lookMs = 1_000

const autoscaled = [
  'services.bid.autoscaling.by=cpu',
  'services.bid.autoscaling.maxReplicas=3',
  // Little, so that 200 bids a second are more than half of it.
  'services.bid.resources.requests.cpu=50m',
]

export async function scale(world: ClusterWorld): Promise<string> {
  const { kubectl } = world
  const groups = await command('kubectl', ['api-versions'])
  if (!groups.includes('metrics.k8s.io/')) {
    return 'NOT SHOWN: this cluster has no metrics-server (https://github.com/kubernetes-sigs/metrics-server)'
  }
  await installChart(world, 'helm', ...autoscaled)
  // It waits five minutes before it takes one away, and a minute before the next: not in a test.
  const behavior = { scaleDown: { stabilizationWindowSeconds: 15, policies: null } }
  const patch = JSON.stringify({ spec: { behavior } })
  await kubectl('patch', 'hpa', 'bidmesh-bid', '--type=merge', '--patch', patch)
  const replicas = async (): Promise<number> =>
    Number(await kubectl('get', 'deployment', 'bidmesh-bid', '-o=jsonpath={.status.readyReplicas}'))
  const until = async (fits: (count: number) => boolean): Promise<number> => {
    const startedMs = performance.now()
    await eventually(async () => fits(await replicas()), {
      limitMs: scalingLimitMs,
      intervalMs: lookMs,
    })
    return Math.round((performance.now() - startedMs) / 1_000)
  }
  await until((count) => count === 1)
  let outSeconds = 0
  let most = 0
  const report = await underLoad(world, async () => {
    outSeconds = await until((count) => count > 1)
    most = await replicas()
  })
  const inSeconds = await until((count) => count === 1)
  return `bid from 1 to ${most} pods in ${outSeconds} s under load, back to 1 in ${inSeconds} s after it; ${words(report)}`
}
