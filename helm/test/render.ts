/** Charts rendered and read: what `helm template` makes of a chart and values, as objects. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { pathOf, type Program, root } from './tools.ts'

export type Chart = 'bidmesh' | 'infra'

/** Value sets by name: files below `helm/`. */
export const valueSets: Readonly<Record<Chart, readonly string[]>> = {
  bidmesh: [
    'bidmesh/ci/minimal.yaml',
    'bidmesh/ci/keda-gateway.yaml',
    'bidmesh/ci/ingress-nginx.yaml',
    'bidmesh/ci/plain-ingress.yaml',
    'values-dev.yaml',
    'values-production.yaml',
  ],
  infra: [
    'infra/ci/statefulsets.yaml',
    'infra/ci/production.yaml',
    'infra/ci/managed.yaml',
    'values-infra-dev.yaml',
  ],
}

export type Ran = { ok: boolean; stdout: string; stderr: string }

export function runTool(program: Program, args: readonly string[], input?: string): Ran {
  const { status, stdout, stderr, error } = spawnSync(pathOf(program), args, {
    cwd: join(root, 'helm'),
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
    maxBuffer: 64 * 2 ** 20,
  })
  if (error) throw error
  return { ok: status === 0, stdout, stderr }
}

/** `helm template`, under the names that people use. */
export function template(chart: Chart, args: readonly string[]): Ran {
  const key = [chart, ...args].join(' ')
  const ran = templates.get(key) ?? runTool('helm', ['template', chart, chart, ...place, ...args])
  templates.set(key, ran)
  return ran
}

const place = ['--namespace=bidmesh']
/** Each is rendered once: it takes 0.3 s, and always gives the same but for passwords. */
const templates = new Map<string, Ran>()

/** What of an object these tests look at. */
export type Manifest = {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- read by path, and each reader fails where it is absent
  spec: any
  data?: Record<string, string>
  stringData?: Record<string, string>
}

/** The objects of a value set; throws helm's words when it refuses. */
export function render(chart: Chart, values: string, ...more: string[]): Manifest[] {
  const { ok, stdout, stderr } = template(chart, ['--values', values, ...more])
  if (!ok) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document): Manifest | null => document.toJS())
    .filter((manifest) => manifest !== null)
}

export function ofKind(manifests: readonly Manifest[], kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind)
}

/** The spec of the pods that an object makes, for those that make any. */
export function podSpecOf({ kind, spec }: Manifest): PodSpec | undefined {
  if (kind === 'CronJob') return spec.jobTemplate.spec.template.spec
  return ['Deployment', 'StatefulSet', 'Job'].includes(kind) ? spec.template.spec : undefined
}

export type Container = {
  name: string
  image: string
  args: string[]
  env?: {
    name: string
    value?: string
    valueFrom?: { secretKeyRef?: { name: string; key: string } }
  }[]
  envFrom?: { configMapRef: { name: string } }[]
  securityContext?: object
  resources?: { requests?: object; limits?: { memory?: string } }
  volumeMounts?: { mountPath: string; name: string }[]
  [probe: string]: unknown
}

export type PodSpec = {
  automountServiceAccountToken?: boolean
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: object }
  containers: Container[]
  initContainers?: Container[]
  volumes?: Record<string, unknown>[]
  terminationGracePeriodSeconds?: number
  hostNetwork?: boolean
}
