/** What the steps of the cluster tests share: where things are, how the chart is installed, what was acknowledged. */
import type { LedgerEntry } from '@bidmesh/invariants/ledger.ts'
import { command, type Kubectl, kubectlIn } from './command.ts'
import type { ClusterOptions } from './cluster-options.ts'

/** As in helm/values-dev.yaml, and a name that is found. */
export const apiUrl = 'http://api.auction.local'
export const webUrl = 'http://auction.local'

export const release = 'bidmesh'

export type ClusterWorld = ClusterOptions & {
  kubectl: Kubectl
  /** Of all loads so far. */
  ledger: LedgerEntry[]
  /** `--set` arguments of every installation of the chart. */
  settings: readonly string[]
}

export function createWorld(options: ClusterOptions): ClusterWorld {
  const { namespace, image } = options
  const colon = image.lastIndexOf(':')
  const settings = [
    `image.repository=${image.slice(0, colon)}`,
    `image.tag=${image.slice(colon + 1)}`,
    // Two of what callers notice: with one there is nothing to roll over to.
    'services.bid.replicas=2',
    'services.live.replicas=2',
    'services.stats.replicas=2',
    'services.web.replicas=2',
    // Long enough for the ingress to hear of a pod that ends.
    'defaults.preStopSeconds=5',
  ]
  return { ...options, kubectl: kubectlIn(namespace), ledger: [], settings }
}

/**
 * Installs or changes the chart, waits until all of it is ready.
 *
 * @param folder `helm`, or what it was once
 */
export async function installChart(
  world: ClusterWorld,
  folder: string,
  ...more: string[]
): Promise<void> {
  const sets = [...world.settings, ...more].flatMap((each) => ['--set', each])
  const values = [`${folder}/values-dev.yaml`]
  await helmUpgrade(world.namespace, release, `${folder}/bidmesh`, values, sets)
}

export async function helmUpgrade(
  namespace: string,
  name: string,
  chart: string,
  values: readonly string[],
  args: readonly string[] = [],
): Promise<void> {
  const files = values.flatMap((file) => ['--values', file])
  const wait = ['--wait', '--timeout', '15m']
  const where = ['--namespace', namespace, '--create-namespace']
  await command('helm', ['upgrade', '--install', name, chart, ...where, ...wait, ...files, ...args])
}
