/** The command line of `make test-cluster`. */
import { parseArgs } from 'node:util'
import { type StepName, stepNames } from './step-names.ts'

export type ClusterOptions = {
  steps: readonly StepName[]
  namespace: string
  /** As the cluster has it or can pull it, with its tag. */
  image: string
  /** Of the node that has the ingress controller's ports. */
  ingressAddress: string | undefined
  /** A chart or its folder. */
  ingressChart: readonly string[]
  keep: boolean
}

export const usage = `Usage: make test-cluster [ARGS="…"], or node e2e/src/cluster/main.ts [options]

Installs infra, ingress controller and chart on the cluster that KUBECONFIG names, and shows on it what only a
cluster can show. Everything is in a namespace of its own, removed at the end, as far as this made it.
On Kind the image is built and loaded first, when --image is not given. Takes about fifteen minutes.

  --only LIST        comma-separated: ${stepNames.join(', ')} (install is always first)
  --image NAME:TAG   that the cluster has or can pull
  --namespace NAME   default bidmesh-test
  --keep             leaves everything there

INGRESS_ADDRESS is where the ingress answers, by default the first node. INGRESS_CHART is another source of the
ingress controller's chart, with further arguments for helm behind it.
`

/** Its schema names others by URL, which helm would fetch each time. */
const ingressChart =
  'oci://ghcr.io/nginx/charts/nginx-ingress --version 2.6.4 --skip-schema-validation'

/** Throws with the usage when the arguments cannot be understood. */
export function readClusterOptions(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ClusterOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      image: { type: 'string', default: '' },
      namespace: { type: 'string', default: 'bidmesh-test' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const asked = values.only?.split(',').map((name) => name.trim())
  const unknown = asked?.find((name) => !stepNames.some((each) => each === name))
  if (unknown !== undefined) throw new Error(`--only: there is no step "${unknown}"\n\n${usage}`)
  const chart = env['INGRESS_CHART'] ?? ingressChart
  return {
    steps: stepNames.filter((name) => name === 'install' || (asked?.includes(name) ?? true)),
    namespace: values.namespace,
    image: values.image,
    ingressAddress: env['INGRESS_ADDRESS'],
    ingressChart: chart.split(' '),
    keep: values.keep,
  }
}
