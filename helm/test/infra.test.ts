/** The chart of databases and broker: credentials that stay, and backups that can be restored. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Manifest, ofKind, podSpecOf, render, template } from './render.ts'
import { pathOf, root } from './tools.ts'

const dev = 'values-infra-dev.yaml'
const credentials = 'bidmesh-credentials'

describe('credentials', () => {
  // The least of an API server that helm's lookup needs: it has the secret of an earlier install, or not.
  let kept: Record<string, string> | undefined
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const isSecret = path === `/api/v1/namespaces/bidmesh/secrets/${credentials}`
    const answer = isSecret ? kept && secretObject(kept) : discovery[path]
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? notFound))
  })
  let url: string

  beforeAll(async () => {
    await once(server.listen({ port: 0, host: '127.0.0.1' }), 'listening')
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  })
  afterAll(() => server.close())

  async function upgrade(): Promise<Manifest[]> {
    const args = [
      'template',
      'infra',
      'helm/infra',
      '--namespace=bidmesh',
      '--dry-run=server',
      '--disable-openapi-validation',
    ]
    // Not of the machine's own cluster.
    const env = { ...process.env, KUBECONFIG: '/dev/null' }
    const { stdout } = await promisify(execFile)(
      pathOf('helm'),
      [...args, `--kube-apiserver=${url}`, `--values=helm/${dev}`],
      { cwd: root, env, timeout: 60_000 },
    )
    return parseAllDocuments(stdout).map((document) => document.toJS())
  }

  const passwordsOf = (manifests: readonly Manifest[]) =>
    ofKind(manifests, 'Secret').find(({ metadata }) => metadata.name === credentials)?.stringData

  it('are made at random where there are none', async () => {
    kept = undefined
    const [one, two] = [passwordsOf(await upgrade()), passwordsOf(await upgrade())]
    expect(Object.keys(one ?? {})).toHaveLength(7)
    for (const [key, password] of Object.entries(one ?? {})) {
      expect(password).toMatch(/^\w{32}$/)
      expect(password).not.toBe(two?.[key])
    }
  })

  it('stay over upgrades, in the URLs as well', async () => {
    kept = passwordsOf(render('infra', dev))
    const manifests = await upgrade()
    expect(passwordsOf(manifests)).toEqual(kept)
    const connections = ofKind(manifests, 'Secret').find(({ metadata }) =>
      metadata.name.endsWith('-connections'),
    )
    expect(connections?.stringData).toMatchObject({
      'bid-database-url': `postgres://bidmesh_bid:${kept?.['bid']}@bidmesh-postgres:5432/bidmesh_bid`,
      'amqp-url': `amqp://bidmesh:${kept?.['rabbitmq']}@bidmesh-rabbitmq:5672`,
    })
  })

  it('that a later version adds are made, beside those that stay', async () => {
    const { stats: _, ...earlier } = passwordsOf(render('infra', dev)) ?? {}
    kept = earlier
    const now = passwordsOf(await upgrade())
    expect(now).toMatchObject(earlier)
    expect(now?.['stats']).toMatch(/^\w{32}$/)
  })

  it('outlive the release, as the volumes do that know them', () => {
    const [secret] = ofKind(render('infra', dev), 'Secret')
    expect(secret?.metadata).toMatchObject({
      name: credentials,
      annotations: { 'helm.sh/resource-policy': 'keep' },
    })
  })
})

describe('backups', () => {
  const jobs = ofKind(render('infra', 'infra/ci/managed.yaml'), 'CronJob')
  const steps = (name: string) => {
    const job = jobs.find(({ metadata }) => metadata.name === name)
    const spec = job && podSpecOf(job)
    return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
  }

  it('dump, upload, and only then delete what is old', () => {
    expect(steps('bidmesh-backup').map(({ name }) => name)).toEqual([
      'dump-bid',
      'dump-stats',
      'upload',
      'latest',
      'expire',
    ])
    const expire = steps('bidmesh-backup').at(-1)
    expect(expire?.args).toEqual(['delete', 's3:$(PLACE)', '--min-age=14d', '--exclude=/latest/**'])
  })

  it('are restored when somebody asks, all of a database or nothing', () => {
    const restore = jobs.find(({ metadata }) => metadata.name === 'bidmesh-restore')
    expect(restore?.spec).toMatchObject({ suspend: true })
    expect(restore?.spec.jobTemplate.spec.backoffLimit).toBe(0)
    for (const { args } of steps('bidmesh-restore').slice(1)) {
      expect(args).toEqual(expect.arrayContaining(['--single-transaction', '--exit-on-error']))
    }
  })
})

describe('production', () => {
  const manifests = render('infra', 'infra/ci/production.yaml')

  it('has each acknowledged commit on two machines, and events on most of three', () => {
    expect(ofKind(manifests, 'Cluster')[0]?.spec).toMatchObject({
      instances: 3,
      postgresql: { synchronous: { method: 'any', number: 1, dataDurability: 'required' } },
    })
    expect(ofKind(manifests, 'RabbitmqCluster')[0]?.spec.replicas).toBe(3)
  })

  it('backs up to the store that the cluster archives to', () => {
    const [store] = ofKind(manifests, 'ObjectStore')
    const [plugin] = ofKind(manifests, 'Cluster')[0]?.spec.plugins ?? []
    expect(plugin.parameters.barmanObjectName).toBe(store?.metadata.name)
    expect(ofKind(manifests, 'ScheduledBackup')[0]?.spec).toMatchObject({
      method: 'plugin',
      pluginConfiguration: { name: plugin.name },
    })
  })
})

it.each([
  ['postgres.by=statefulsets', 'by'],
  ['postgres.storage=5GB', 'storage'],
  ['redis.persistence=true', 'persistence'],
  ['postgres.password=x', 'password'],
])('values refuse %s', (set, word) => {
  expect(template('infra', [`--set=${set}`]).stderr).toContain(word)
})

function secretObject(data: Record<string, string>): object {
  const encoded = Object.entries(data).map(([key, value]) => [
    key,
    Buffer.from(value).toString('base64'),
  ])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: credentials,
      namespace: 'bidmesh',
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        'meta.helm.sh/release-name': 'infra',
        'meta.helm.sh/release-namespace': 'bidmesh',
      },
    },
    data: Object.fromEntries(encoded),
  }
}

// Without its reason helm asks for the object again and again.
const notFound = {
  apiVersion: 'v1',
  kind: 'Status',
  status: 'Failure',
  reason: 'NotFound',
  code: 404,
}

/** What kinds there are, as far as the chart has them. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  v1: ['Secret', 'ConfigMap', 'Service'],
  'apps/v1': ['StatefulSet'],
  'networking.k8s.io/v1': ['NetworkPolicy'],
}

const discovery: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '37', gitVersion: 'v1.37.2' },
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    groups: Object.keys(kinds)
      .filter((groupVersion) => groupVersion !== 'v1')
      .map((groupVersion) => ({
        name: groupVersion.split('/')[0],
        versions: [{ groupVersion, version: 'v1' }],
      })),
  },
  ...Object.fromEntries(
    Object.entries(kinds).map(([groupVersion, names]) => [
      groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`,
      {
        kind: 'APIResourceList',
        groupVersion,
        resources: names.map((kind) => ({
          name: `${kind.toLowerCase()}s`,
          kind,
          namespaced: true,
          verbs: ['get'],
        })),
      },
    ]),
  ),
}
