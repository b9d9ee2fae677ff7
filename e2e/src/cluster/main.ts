/** `make test-cluster`: what only a cluster can show, on whatever cluster KUBECONFIG names. A line for each step. */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { leadToIngress } from '@bidmesh/platform/testing/lead-to-ingress.ts'
import { readClusterOptions, usage } from './cluster-options.ts'
import { apiUrl, type ClusterWorld, createWorld, webUrl } from './cluster-world.ts'
import { command } from './command.ts'
import { backup } from './step-backup.ts'
import { install } from './step-install.ts'
import { kill } from './step-kill.ts'
import type { StepName } from './step-names.ts'
import { network } from './step-network.ts'
import { roll } from './step-roll.ts'
import { scale } from './step-scale.ts'
import { verify } from './step-verify.ts'

const steps = { install, verify, roll, kill, scale, network, backup } as const satisfies Record<
  StepName,
  (world: ClusterWorld) => Promise<string>
>

try {
  const options = readClusterOptions(process.argv.slice(2), process.env)
  if (options === 'help') process.stdout.write(usage)
  else {
    const ingressAddress = options.ingressAddress ?? (await firstNode())
    const image = options.image === '' ? await buildForKind() : options.image
    const world = createWorld({ ...options, ingressAddress, image })
    leadToIngress(apiUrl, ingressAddress)
    leadToIngress(webUrl, ingressAddress)
    try {
      for (const name of options.steps) await take(name, world)
    } finally {
      const { namespace } = world
      if (!options.keep)
        await command('kubectl', ['delete', 'namespace', namespace, '--wait=false'])
    }
  }
} catch (error) {
  process.stderr.write(`FAILED  ${messageOf(error)}\n`)
  process.exitCode = 1
}

async function take(name: StepName, world: ClusterWorld): Promise<void> {
  const startedMs = performance.now()
  const words = await steps[name](world).catch((error: unknown) => {
    throw new Error(`${name}: ${messageOf(error)}`, { cause: error })
  })
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  process.stdout.write(`ok  ${name.padEnd(8)} ${words} [${seconds} s]\n`)
}

async function firstNode(): Promise<string> {
  const path = '-o=jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'
  return await command('kubectl', ['get', 'nodes', path])
}

/** On Kind, whose context has its name, an image needs no registry. */
async function buildForKind(): Promise<string> {
  const context = (await command('kubectl', ['config', 'current-context'])).trim()
  if (!context.startsWith('kind-')) {
    throw new Error(`--image: name one that the cluster has or can pull (${context} is not Kind)`)
  }
  const image = 'bidmesh:test-cluster'
  await command('docker', ['build', '--tag', image, '.'])
  await command('kind', ['load', 'docker-image', image, '--name', context.slice('kind-'.length)])
  return image
}
