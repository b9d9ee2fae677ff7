/** Ingress controller, infra and the first version of the chart, so that what follows is an upgrade. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClusterWorld, helmUpgrade, installChart } from './cluster-world.ts'
import { apply, command } from './command.ts'

/** Pods of this namespace that ask for more than Pod Security "restricted" are refused. */
const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }

export async function install(world: ClusterWorld): Promise<string> {
  const { namespace } = world
  const metadata = { name: namespace, labels }
  await apply('default', { apiVersion: 'v1', kind: 'Namespace', metadata })
  const times: string[] = []
  const timed = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const startedMs = performance.now()
    await work()
    times.push(`${name} ${Math.round((performance.now() - startedMs) / 1_000)} s`)
  }
  await timed('ingress controller', () => installIngress(world))
  await timed('infra', () =>
    helmUpgrade(namespace, 'bidmesh-infra', 'helm/infra', ['helm/values-infra-dev.yaml']),
  )
  await timed('chart', async () => await installChart(world, await firstCharts()))
  return `${times.join(', ')}; all pods pass Pod Security "restricted"`
}

/** One that is there serves as it is. */
async function installIngress({ ingressChart }: ClusterWorld): Promise<void> {
  const classes = await command('kubectl', ['get', 'ingressclasses', '--output', 'name'])
  if (classes.includes('ingressclass.networking.k8s.io/nginx')) return
  const [source = '', ...args] = ingressChart
  const name = 'nginx-ingress'
  await helmUpgrade(name, name, source, ['helm/values-nginx-ingress.yaml'], args)
}

/** As they were when the chart was first committed; a checkout without its history upgrades from itself. */
async function firstCharts(): Promise<string> {
  const log = ['log', '--diff-filter=A', '--format=%H', '--', 'helm/bidmesh/Chart.yaml']
  const commits = await command('git', log)
  const first = commits.trim().split('\n').at(-1)
  if (!first) return 'helm'
  const folder = await mkdtemp(join(tmpdir(), 'bidmesh-first-charts-'))
  await command('sh', ['-c', `git archive ${first} helm | tar -x -C ${folder}`])
  return join(folder, 'helm')
}
