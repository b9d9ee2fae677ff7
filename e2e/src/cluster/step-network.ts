/** Who has no business there gets no connection, where the cluster's network enforces that. */
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import type { ClusterWorld } from './cluster-world.ts'
import { apply, command, kubectlIn } from './command.ts'

/** A refused packet is dropped in silence, so this long without an answer is a no. */
const connectMs = 5_000

export async function network(world: ClusterWorld): Promise<string> {
  const { namespace, image } = world
  const stranger = `${namespace}-stranger`
  const metadata = { name: stranger }
  await apply('default', { apiVersion: 'v1', kind: 'Namespace', metadata })
  try {
    // A policy that nobody could hold wrong: does anybody enforce it?
    const spec = { podSelector: { matchLabels: { run: 'denied' } }, policyTypes: ['Egress'] }
    const denyAll = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec }
    await apply(stranger, { ...denyAll, metadata: { name: 'deny-all' } })
    const api = ['kubernetes.default', 443] as const
    const denied = await connectFrom(stranger, 'denied', image, ...api)
    const outcome = {
      postgres: await connectFrom(
        stranger,
        'postgres',
        image,
        `bidmesh-postgres.${namespace}`,
        5432,
      ),
      bid: await connectFrom(stranger, 'bid', image, `bidmesh-bid.${namespace}`, 8080),
    }
    if (denied === 'connected') {
      return 'NOT SHOWN: the network of this cluster does not enforce NetworkPolicies (Kind does)'
    }
    for (const [name, result] of Object.entries(outcome)) {
      if (result === 'connected') throw new Error(`a stranger has reached ${name}`)
    }
    return `a stranger reaches neither Postgres nor the bid service: ${outcome.postgres}, ${outcome.bid}`
  } finally {
    await command('kubectl', ['delete', 'namespace', stranger, '--wait=false'])
  }
}

/** What a pod says that tries to connect. */
async function connectFrom(
  namespace: string,
  name: string,
  image: string,
  host: string,
  port: number,
): Promise<string> {
  const script = `
    const say = (word) => { console.log(word); process.exit() }
    require('node:net').connect(${port}, '${host}').on('connect', () => say('connected')).on('error', (e) => say(e.code))
    setTimeout(say, ${connectMs}, 'no answer')`
  const containers = [{ name, image, command: ['node', '--eval', script] }]
  const spec = { restartPolicy: 'Never', automountServiceAccountToken: false, containers }
  const metadata = { name, labels: { run: name } }
  await apply(namespace, { apiVersion: 'v1', kind: 'Pod', metadata, spec })
  const kubectl = kubectlIn(namespace)
  return await eventually(
    async () => {
      const word = (await kubectl('logs', name)).trim()
      if (word === '') throw new Error(`the pod ${name} has not said anything`)
      return word
    },
    { limitMs: 60_000, intervalMs: 500 },
  )
}
