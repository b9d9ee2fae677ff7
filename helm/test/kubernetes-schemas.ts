/**
 * JSON Schemas of what the charts contain, for kubeconform: of Kubernetes' own kinds from its OpenAPI document, of
 * the operators' kinds from their resource definitions. Strict: a field that does not exist is a fault, where the
 * API server would ignore it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { moduleFolder, placeOf } from '../../scripts/go-programs.ts'

const KUBERNETES = 'v1.37.2'

/** By module: files with the definitions that the charts use. */
const definitions: Readonly<Record<string, readonly string[]>> = {
  'sigs.k8s.io/gateway-api@v1.5.0': [
    'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml',
    'config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml',
  ],
  'github.com/kedacore/keda/v2@v2.21.0': [
    'config/crd/bases/keda.sh_scaledobjects.yaml',
    'config/crd/bases/keda.sh_triggerauthentications.yaml',
  ],
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': [
    'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  ],
  'github.com/cloudnative-pg/cloudnative-pg@v1.30.0': [
    'config/crd/bases/postgresql.cnpg.io_clusters.yaml',
    'config/crd/bases/postgresql.cnpg.io_databases.yaml',
    'config/crd/bases/postgresql.cnpg.io_scheduledbackups.yaml',
  ],
  'github.com/cloudnative-pg/plugin-barman-cloud@v0.15.0': [
    'config/crd/bases/barmancloud.cnpg.io_objectstores.yaml',
  ],
  'github.com/rabbitmq/cluster-operator/v2@v2.20.0': [
    'config/crd/bases/rabbitmq.com_rabbitmqclusters.yaml',
  ],
}

type Schema = {
  $ref?: string
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: Schema | boolean
  'x-kubernetes-group-version-kind'?: Kind[]
}
type Kind = { group: string; version: string; kind: string }

/** Where kubeconform finds them; made when they are not there. */
export function kubernetesSchemas(): string {
  // Another list of modules is another folder.
  const name = `schemas-${KUBERNETES}-${Object.keys(definitions).length}`
  const folder = placeOf(name)
  if (!existsSync(folder)) {
    const unfinished = `${folder}.new`
    rmSync(unfinished, { recursive: true, force: true })
    mkdirSync(unfinished, { recursive: true })
    writeKubernetes(unfinished)
    writeDefinitions(unfinished)
    renameSync(unfinished, folder)
  }
  return join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json')
}

function writeKubernetes(folder: string): void {
  const file = join(
    moduleFolder(`k8s.io/kubernetes@${KUBERNETES}`),
    'api/openapi-spec/swagger.json',
  )
  const { definitions: all }: { definitions: Record<string, Schema> } = JSON.parse(
    readFileSync(file, 'utf8'),
  )
  for (const schema of Object.values(all)) {
    const [kind, ...others] = schema['x-kubernetes-group-version-kind'] ?? []
    // Options of deletion and their like are of every group.
    if (!kind || others.length > 0) continue
    const inlined = inline(schema, all, 0)
    if (inlined !== undefined) write(folder, kind, inlined)
  }
}

/** What describes itself, as resource definitions do, is deeper than anything else. */
const DEPTH_MAX = 30

/** Without references, since kubeconform reads one file for each kind; undefined for what has no end. */
function inline(schema: Schema, all: Record<string, Schema>, depth: number): Schema | undefined {
  if (depth > DEPTH_MAX) return undefined
  const { $ref, properties, items, additionalProperties: others } = schema
  if ($ref !== undefined) {
    const name = $ref.replace('#/definitions/', '')
    if (/\.(?:Quantity|IntOrString)$/.test(name)) return {}
    return inline(all[name] ?? {}, all, depth + 1)
  }
  const parts: (Schema | undefined)[] = []
  const inlined = (part: Schema) => {
    parts.push(inline(part, all, depth + 1))
    return parts.at(-1) ?? {}
  }
  const result: Schema = { ...schema }
  if (properties) {
    const entries = Object.entries(properties).map(([key, each]) => [key, inlined(each)] as const)
    result.properties = Object.fromEntries(entries)
  }
  if (items) result.items = inlined(items)
  if (typeof others === 'object') result.additionalProperties = inlined(others)
  return parts.includes(undefined) ? undefined : result
}

function writeDefinitions(folder: string): void {
  type Version = { name: string; schema: { openAPIV3Schema: Schema } }
  for (const [module, files] of Object.entries(definitions)) {
    const sources = moduleFolder(module)
    for (const file of files) {
      const { spec }: { spec: { group: string; names: { kind: string }; versions: Version[] } } =
        parse(readFileSync(join(sources, file), 'utf8'))
      for (const { name, schema } of spec.versions) {
        const kind = { group: spec.group, version: name, kind: spec.names.kind }
        write(folder, kind, schema.openAPIV3Schema)
      }
    }
  }
}

/** By the name that kubeconform asks for: of the group its first word, and none for the core's. */
function write(folder: string, { group, version, kind }: Kind, schema: Schema): void {
  const suffix = [group.split('.')[0], version].filter(Boolean).join('-')
  const file = `${kind.toLowerCase()}-${suffix}.json`
  writeFileSync(join(folder, file), JSON.stringify(strict(schema)))
}

/** Fields that are not described do not exist, unless the schema says that it leaves them open. */
function strict(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strict)
  if (typeof value !== 'object' || value === null) return value
  // Its pattern is of the string alone.
  if ('x-kubernetes-int-or-string' in value) return {}
  const schema = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, strict(each)]))
  const isOpen = 'additionalProperties' in value || 'x-kubernetes-preserve-unknown-fields' in value
  const isObject = schema['type'] === 'object' && 'properties' in schema
  return isObject && !isOpen ? { ...schema, additionalProperties: false } : schema
}
