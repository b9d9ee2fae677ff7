/** The chart of the services: what keeps bids and streams whole, and who reaches what. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readAuctioneerConfig, readBidConfig } from '@bidmesh/bid/config.ts'
import { readMigrateConfig } from '@bidmesh/image/config.ts'
import { readLiveConfig } from '@bidmesh/live/config.ts'
import { readRelayConfig } from '@bidmesh/outbox-worker/config.ts'
import { ConfigError } from '../../packages/platform/src/process/config.ts'
import { readRebuildConfig, readStatsConfig } from '@bidmesh/stats/config.ts'
import { readDevIssuerConfig } from '@bidmesh/dev-issuer/config.ts'
import { readWebConfig } from '@bidmesh/web-server/config.ts'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  type Container,
  type Manifest,
  ofKind,
  podSpecOf,
  render,
  template,
  valueSets,
} from './render.ts'
import { root } from './tools.ts'

const plain = 'bidmesh/ci/minimal.yaml'

describe.each(valueSets.bidmesh)('%s', (values) => {
  const manifests = render('bidmesh', values)
  const deployments = ofKind(manifests, 'Deployment')

  it('runs every process', () => {
    expect(deployments.map(({ metadata }) => metadata.name).toSorted()).toEqual([
      'bidmesh-auctioneer',
      'bidmesh-bid',
      'bidmesh-live',
      'bidmesh-outbox-worker',
      'bidmesh-stats',
      'bidmesh-web',
    ])
    for (const { metadata, spec } of deployments) {
      expect([`bidmesh-${containerOf(spec).args.join(' ')}`]).toEqual([metadata.name])
    }
  })

  it('asks every process whether it lives and whether it is ready', () => {
    for (const { metadata, spec } of deployments) {
      const { livenessProbe, startupProbe, readinessProbe } = containerOf(spec)
      const alive = { httpGet: { path: '/healthz', port: 'http' } }
      expect(livenessProbe, metadata.name).toMatchObject(alive)
      expect(startupProbe, metadata.name).toMatchObject(alive)
      const ready =
        values === 'bidmesh/ci/keda-gateway.yaml'
          ? { grpc: { port: 8080 } }
          : { httpGet: { path: '/readyz', port: 'http' } }
      expect(readinessProbe, metadata.name).toMatchObject(ready)
    }
  })

  it('rolls without a moment in which fewer pods serve, and lets each finish', () => {
    for (const { metadata, spec } of deployments) {
      expect(spec.strategy.rollingUpdate, metadata.name).toEqual({ maxUnavailable: 0, maxSurge: 1 })
      const { lifecycle } = containerOf(spec) as { lifecycle?: unknown }
      const { seconds } = (lifecycle as { preStop: { sleep: { seconds: number } } }).preStop.sleep
      expect(seconds, metadata.name).toBeGreaterThan(0)
      // From SIGTERM a process takes 9 s at most.
      const grace = podSpec(deployments, metadata.name).terminationGracePeriodSeconds
      expect(grace, metadata.name).toBeGreaterThanOrEqual(seconds + 10)
    }
  })

  it('has disruption budgets that never stand against an autoscaler or a drain', () => {
    const budgets = ofKind(manifests, 'PodDisruptionBudget')
    for (const { spec, metadata } of budgets) {
      expect(spec, metadata.name).toMatchObject({ maxUnavailable: 1 })
      expect(spec, metadata.name).not.toHaveProperty('minAvailable')
      expect(selected(deployments, spec.selector), metadata.name).toEqual([metadata.name])
    }
    const without = values === 'bidmesh/ci/keda-gateway.yaml' ? ['bidmesh-web'] : []
    expect([...budgets.map(({ metadata }) => metadata.name), ...without].toSorted()).toEqual(
      deployments.map(({ metadata }) => metadata.name).toSorted(),
    )
  })

  it('has one who decides how many pods there are', () => {
    for (const { metadata, spec } of deployments) {
      const scalers = [
        ...ofKind(manifests, 'HorizontalPodAutoscaler'),
        ...ofKind(manifests, 'ScaledObject'),
      ].filter((scaler) => scaler.spec.scaleTargetRef.name === metadata.name)
      expect(scalers.length + (spec.replicas === undefined ? 0 : 1), metadata.name).toBe(1)
    }
  })

  it('has Services for each process that select its pods and nothing else, and say what they speak', () => {
    for (const { metadata, spec } of ofKind(manifests, 'Service')) {
      const process = metadata.name.replace(/-pods$/, '')
      expect(selected(deployments, { matchLabels: spec.selector })).toEqual([process])
      for (const { name, appProtocol } of spec.ports) {
        expect(appProtocol).toBe(name === 'grpc' ? 'kubernetes.io/h2c' : 'http')
      }
    }
  })

  it('gives processes only variables that they read', () => {
    for (const manifest of manifests) {
      for (const container of podSpecOf(manifest)?.containers ?? []) {
        const [process = '', ...rest] = container.args
        const known = variablesRead(process)
        const given = [
          ...(container.env ?? []).map(({ name }) => name),
          ...(container.envFrom ?? []).flatMap(({ configMapRef }) =>
            Object.keys(named(manifests, 'ConfigMap', configMapRef.name).data ?? {}),
          ),
        ].filter((name) => !/^(?:OTEL|NODE)_/.test(name))
        if (process === 'migrate') expect(['bid', 'stats']).toContain(rest[0])
        expect(known, `${process} reads`).toEqual(expect.arrayContaining(given))
      }
    }
  })

  it('takes from the secret only what infra puts there', () => {
    const made = named(render('infra', 'values-infra-dev.yaml'), 'Secret', 'bidmesh-connections')
    const keys = manifests.flatMap((manifest) =>
      (podSpecOf(manifest)?.containers ?? []).flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.key ?? []),
      ),
    )
    expect(Object.keys(made.stringData ?? {})).toEqual(expect.arrayContaining(keys))
    expect(ofKind(manifests, 'Secret')).toEqual([])
  })
})

describe('variables', () => {
  it('let a service check migrations and never make them', () => {
    const manifests = render('bidmesh', plain)
    for (const process of ['bid', 'auctioneer', 'stats']) {
      const { data } = named(manifests, 'ConfigMap', `bidmesh-${process}`)
      expect(data).toMatchObject({ MIGRATIONS: 'check' })
    }
  })

  it('roll the pods of the process whose variables changed, and no others', () => {
    const before = checksums(render('bidmesh', plain))
    const after = checksums(render('bidmesh', plain, '--set=services.bid.env.LOG_LEVEL=debug'))
    const changed = Object.keys(before).filter((name) => before[name] !== after[name])
    expect(changed).toEqual(['bidmesh-bid'])
  })

  it('may be overridden for one process, off and none included', () => {
    const manifests = render(
      'bidmesh',
      plain,
      '--set=services.web.podDisruptionBudget=false',
      '--set=services.web.replicas=0',
      '--set=services.bid.autoscaling.by=none',
    )
    expect(named(manifests, 'Deployment', 'bidmesh-web').spec.replicas).toBe(0)
    expect(ofKind(manifests, 'PodDisruptionBudget')).toHaveLength(5)
    expect(ofKind(manifests, 'HorizontalPodAutoscaler')).toHaveLength(2)
  })
})

describe('the bid service', () => {
  const manifests = render('bidmesh', plain)

  it.each([
    { mesh: false, service: 'bidmesh-bid-pods', port: 8080, clusterIP: 'None' },
    { mesh: true, service: 'bidmesh-bid', port: 8081, clusterIP: undefined },
  ])(
    'is asked by live and the rebuild, by its pods or, in a mesh, by its Service: $mesh',
    ({ mesh, service, port, clusterIP }) => {
      const made = render('bidmesh', plain, `--set=mesh=${mesh}`)
      const { spec } = named(made, 'Service', service)
      expect(spec.clusterIP).toBe(clusterIP)
      expect(spec.ports).toContainEqual(expect.objectContaining({ name: 'grpc', port }))
      const url = `http://${service}:${port}`
      expect(named(made, 'ConfigMap', 'bidmesh-live').data).toMatchObject({ BID_URL: url })
      const [rebuild] = podSpec(made, 'bidmesh-rebuild').containers
      expect(rebuild?.env).toContainEqual({ name: 'BID_URL', value: url })
    },
  )

  it('answers for that name where names are limited', () => {
    const limited = render('bidmesh', 'values-production.yaml')
    const { data } = named(limited, 'ConfigMap', 'bidmesh-bid')
    expect(data?.['ALLOWED_HOSTS']).toBe(
      'auction.example,api.auction.example,bidmesh-bid,bidmesh-bid-pods',
    )
    const { data: unlimited } = named(manifests, 'ConfigMap', 'bidmesh-bid')
    expect(unlimited).not.toHaveProperty('ALLOWED_HOSTS')
  })

  it('answers for its name in Compose', () => {
    const compose = readFileSync(join(root, 'compose.yaml'), 'utf8')
    const { services } = parse(compose, { merge: true }) as ComposeFile
    const asked = new URL(services['live']?.environment['BID_URL'] ?? '').hostname
    expect(Object.keys(services)).toContain(asked)
    expect(services[asked]?.environment['ALLOWED_HOSTS']?.split(',')).toContain(asked)
  })

  it('is the only one with the bid database, beside auctioneer, relay and migration', () => {
    const having = manifests.filter((manifest) =>
      JSON.stringify(podSpecOf(manifest)?.containers ?? []).includes('"bid-'),
    )
    expect(having.map(({ metadata }) => metadata.name).toSorted()).toEqual([
      'bidmesh-auctioneer',
      'bidmesh-bid',
      'bidmesh-migrate-bid',
      'bidmesh-outbox-worker',
    ])
  })
})

describe('migrations', () => {
  it('run before anything is rolled out, as the owner, for the roles of the services', () => {
    const jobs = ofKind(render('bidmesh', plain), 'Job')
    expect(jobs.map(({ metadata }) => metadata.name)).toEqual([
      'bidmesh-migrate-bid',
      'bidmesh-migrate-stats',
    ])
    for (const { metadata } of jobs) {
      expect(metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade')
    }
    const [container] = podSpec(jobs, 'bidmesh-migrate-bid').containers
    expect(container?.env).toEqual([
      {
        name: 'DATABASE_URL',
        valueFrom: {
          secretKeyRef: { name: 'bidmesh-connections', key: 'bid-migrate-database-url' },
        },
      },
      { name: 'GRANT_TO', value: 'bidmesh_bid' },
    ])
  })
})

it('statistics are rebuilt by the owner of their tables, which are emptied first', () => {
  const rebuild = named(render('bidmesh', plain), 'CronJob', 'bidmesh-rebuild')
  const [container] = rebuild.spec.jobTemplate.spec.template.spec.containers
  expect(container.env).toContainEqual({
    name: 'DATABASE_URL',
    valueFrom: { secretKeyRef: { name: 'bidmesh-connections', key: 'stats-migrate-database-url' } },
  })
})

describe('routes', () => {
  const procedures = proceduresOfProtos()

  it('are tested against what there is', () => {
    expect(procedures.length).toBeGreaterThan(15)
    expect(procedures.filter(({ streams }) => streams)).toHaveLength(3)
  })

  it.each(['values-dev.yaml', 'bidmesh/ci/ingress-nginx.yaml', 'bidmesh/ci/plain-ingress.yaml'])(
    'of the ingress in %s lead each procedure to its service, streams by the streams’',
    (values) => {
      const ingresses = ofKind(render('bidmesh', values), 'Ingress').filter(
        ({ metadata }) => metadata.name !== 'bidmesh-grpc',
      )
      const hosts = new Set<string>(ingresses.map(({ spec }) => spec.rules[0].host))
      for (const host of hosts) {
        const paths = ingresses
          .filter(({ spec }) => spec.rules[0].host === host)
          .flatMap(({ metadata, spec }) =>
            (spec.rules[0].http?.paths ?? []).map((each: Path) => ({ ...each, of: metadata.name })),
          )
        for (const { path, process, streams } of procedures) {
          const { backend, of } = bestOf(paths, path)
          expect(backend.service.name, path).toBe(`bidmesh-${process}`)
          expect(of, path).toMatch(streams ? /-streams$/ : /-calls$/)
        }
        expect(bestOf(paths, '/live/items/1').of).toMatch(/-streams$/)
      }
    },
  )

  it.each(['values-dev.yaml', 'bidmesh/ci/ingress-nginx.yaml', 'bidmesh/ci/keda-gateway.yaml'])(
    'of %s lead nobody from outside to what services ask each other',
    (values) => {
      const manifests = render('bidmesh', values)
      const ways = manifests.filter(({ kind }) => /^(Ingress|HTTPRoute|GRPCRoute)$/.test(kind))
      expect(ways.length).toBeGreaterThan(0)
      const text = JSON.stringify(ways)
      expect(text).toContain('bids.v1.BidService')
      expect(text).not.toContain(internal)
      expect(text).not.toMatch(/"\/bids\.v1\.?"/)
    },
  )

  it('of compose lead nobody from outside there either', () => {
    const nginx = readFileSync(join(root, 'deploy/compose/nginx.conf'), 'utf8')
    const ways = [...nginx.matchAll(/^\s+~(\S+) (\w+);/gm)].map(
      ([, pattern = '', process = '']) => [new RegExp(pattern), process] as const,
    )
    const leads = (path: string) => ways.find(([pattern]) => pattern.test(path))?.[1]
    expect(leads('/bids.v1.BidService/PlaceBid')).toBe('bid')
    expect(leads(`/${internal}/BatchGetItems`)).toBeUndefined()
  })

  it('of the web’s name lead everything else to the web app', () => {
    const ingresses = ofKind(render('bidmesh', 'values-dev.yaml'), 'Ingress')
    const pages = named(ingresses, 'Ingress', 'bidmesh-web-pages').spec.rules[0]
    expect(pages.host).toBe('auction.local')
    expect(pages.http.paths[0]).toMatchObject({
      path: '/',
      backend: { service: { name: 'bidmesh-web' } },
    })
  })

  it('of the gateway lead each procedure to its service, with gRPC under a name of its own', () => {
    const manifests = render('bidmesh', 'bidmesh/ci/keda-gateway.yaml')
    const { spec } = named(manifests, 'HTTPRoute', 'bidmesh-api')
    const rules: HttpRule[] = spec.rules
    const paths = rules.map((rule) => ({
      path: rule.matches[0].path.value,
      pathType: rule.matches[0].path.type === 'Exact' ? 'Exact' : 'Prefix',
      rule,
    }))
    for (const { path, process, streams } of procedures) {
      const { rule } = bestOf(paths, path)
      expect(rule.backendRefs[0].name, path).toBe(`bidmesh-${process}`)
      expect(rule.timeouts.request, path).toBe(streams ? '0s' : '30s')
    }
    const grpc = named(manifests, 'GRPCRoute', 'bidmesh-grpc')
    expect(grpc.spec.hostnames).toEqual(['grpc.auction.example'])
    const services = grpc.spec.rules.map((rule: GrpcRule) => rule.matches[0].method.service)
    expect(services.toSorted()).toEqual(
      [...new Set(procedures.map((each) => each.service))].toSorted(),
    )
  })

  it('let streams wait and pass unbuffered, and nothing else', () => {
    const ingresses = ofKind(render('bidmesh', 'values-dev.yaml'), 'Ingress')
    for (const { metadata } of ingresses) {
      const isStreams = metadata.name.endsWith('-streams')
      const { annotations = {} } = metadata
      // Only there for its upstreams.
      if (metadata.name.endsWith('-grpc')) continue
      expect(annotations['nginx.org/proxy-buffering'], metadata.name).toBe(
        isStreams ? 'False' : undefined,
      )
      if (annotations['nginx.org/mergeable-ingress-type'] === 'master') continue
      const timeout = isStreams ? '3600s' : '30s'
      expect(annotations['nginx.org/proxy-read-timeout'], metadata.name).toBe(timeout)
    }
  })

  it('believe addresses only from hops that are trusted', () => {
    const { metadata } = named(
      render('bidmesh', 'values-production.yaml'),
      'Ingress',
      'bidmesh-api',
    )
    expect(metadata.annotations?.['nginx.org/server-snippets']).toBe(
      'set_real_ip_from 10.0.0.0/8;\nreal_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n',
    )
    const dev = named(render('bidmesh', 'values-dev.yaml'), 'Ingress', 'bidmesh-api')
    expect(dev.metadata.annotations).not.toHaveProperty('nginx.org/server-snippets')
  })
})

describe('network policies', () => {
  const manifests = render('bidmesh', plain)
  const policies = ofKind(manifests, 'NetworkPolicy')
  const pods = manifests.filter((manifest) => podSpecOf(manifest))

  it('deny by default, to and from every pod of the release', () => {
    const { spec } = named(policies, 'NetworkPolicy', 'bidmesh-default-deny')
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(spec).not.toHaveProperty('ingress')
    expect(spec).not.toHaveProperty('egress')
    expect(selected(pods, spec.podSelector)).toHaveLength(pods.length)
  })

  it.each([
    ['postgres', 'DATABASE_URL', 5432],
    ['rabbitmq', 'AMQP_URL', 5672],
    ['redis', 'REDIS_URL', 6379],
  ])('open %s to all that have its URL, and to no others', (server, variable, port) => {
    const { spec } = named(policies, 'NetworkPolicy', `bidmesh-${server}`)
    const needing = podsWith(manifests, variable)
    expect(needing.length).toBeGreaterThan(2)
    expect(selected(pods, spec.podSelector).toSorted()).toEqual(needing)
    expect(spec.egress).toEqual([{ to: [expect.anything()], ports: [{ port }] }])
  })

  it('open no Redis where there is none', () => {
    const without = render('bidmesh', 'bidmesh/ci/keda-gateway.yaml')
    const names = ofKind(without, 'NetworkPolicy').map(({ metadata }) => metadata.name)
    expect(names).toContain('bidmesh-rabbitmq')
    expect(names).not.toContain('bidmesh-redis')
  })

  it('open the bid service to those that have its URL', () => {
    const asking = podsWith(manifests, 'BID_URL')
    expect(asking).toEqual(['bidmesh-live', 'bidmesh-rebuild'])
    const { spec: from } = named(policies, 'NetworkPolicy', 'bidmesh-asking')
    const { spec: to } = named(policies, 'NetworkPolicy', 'bidmesh-asked')
    const [egress, ingress] = [from.egress[0], to.ingress[0]]
    for (const selector of [from.podSelector, ingress.from[0].podSelector])
      expect(selected(pods, selector).toSorted()).toEqual(asking)
    for (const selector of [to.podSelector, egress.to[0].podSelector])
      expect(selected(pods, selector)).toEqual(['bidmesh-bid'])
    for (const { ports } of [egress, ingress]) expect(ports).toEqual([{ port: 8080 }])
  })
})

describe('with tokens', () => {
  const manifests = render('bidmesh', 'values-production.yaml')
  const procedures = ['bidmesh-bid', 'bidmesh-live', 'bidmesh-stats']

  it('those with procedures check them, and reach the issuer', () => {
    for (const { metadata, data } of ofKind(manifests, 'ConfigMap')) {
      const isChecking = procedures.includes(metadata.name)
      const isTold = isChecking || metadata.name === 'bidmesh-web'
      expect(data?.['AUTH_MODE'], metadata.name).toBe(isTold ? 'jwt' : undefined)
      expect(data?.['OIDC_AUDIENCE'], metadata.name).toBe(isChecking ? 'bidmesh' : undefined)
    }
    const { spec } = named(manifests, 'NetworkPolicy', 'bidmesh-issuer')
    const pods = manifests.filter((manifest) => podSpecOf(manifest))
    expect(selected(pods, spec.podSelector).toSorted()).toEqual(procedures)
    const trusting = render('bidmesh', plain)
    expect(ofKind(trusting, 'NetworkPolicy').map(({ metadata }) => metadata.name)).not.toContain(
      'bidmesh-issuer',
    )
  })

  it('those who ask the bid service have a token of their own, in a file', () => {
    const withToken = manifests.filter((manifest) =>
      podSpecOf(manifest)?.volumes?.some(({ name }) => name === 'service-token'),
    )
    const names = withToken.map(({ metadata }) => metadata.name).toSorted()
    expect(names).toEqual(['bidmesh-live', 'bidmesh-rebuild'])
    expect(podsWith(manifests, 'SERVICE_TOKEN_FILE')).toEqual(names)
    for (const manifest of withToken) {
      const mounts = podSpecOf(manifest)?.containers[0]?.volumeMounts
      expect(mounts).toContainEqual({
        name: 'service-token',
        mountPath: '/run/secrets/bidmesh',
        readOnly: true,
      })
    }
  })
})

describe('with the development issuer', () => {
  const dev = ['values-dev.yaml', '--values', join(root, 'helm/values-dev-issuer.yaml')] as const
  const manifests = render('bidmesh', ...dev)

  it('everybody names the same one, and fetches its keys within the cluster', () => {
    const issuer = 'http://auction.localhost/oidc'
    const keys = 'http://bidmesh-dev-issuer:8080/oidc/jwks'
    for (const name of ['bidmesh-bid', 'bidmesh-live', 'bidmesh-stats']) {
      const { data } = named(manifests, 'ConfigMap', name)
      expect(data, name).toMatchObject({ OIDC_ISSUER: issuer, OIDC_KEYS_URL: keys })
    }
    const told = { OIDC_ISSUER: issuer, OIDC_WEB_CLIENT_ID: 'bidmesh-web' }
    expect(named(manifests, 'ConfigMap', 'bidmesh-web').data).toMatchObject(told)
    const own = { DEV_ISSUER_URL: issuer, NODE_ENV: 'development' }
    expect(named(manifests, 'ConfigMap', 'bidmesh-dev-issuer').data).toMatchObject(own)
  })

  it('who asks the bid service is given tokens by a container beside', () => {
    for (const name of ['bidmesh-live', 'bidmesh-rebuild']) {
      const { initContainers } = podSpec(manifests, name)
      expect(initContainers?.[0]).toMatchObject({
        args: ['dev-service-token'],
        restartPolicy: 'Always',
      })
    }
  })

  it('is the only one that is not for production, and refused there', () => {
    const set = '--set=devIssuer.enabled=true'
    const production = template('bidmesh', ['--values', 'values-production.yaml', set]).stderr
    expect(production).toContain('lets anybody in under any name')
    expect(template('bidmesh', ['--values', plain, set]).stderr).toContain('needs auth.mode=jwt')
  })
})

describe('values', () => {
  const refused = (...args: string[]) => template('bidmesh', ['--values', plain, ...args]).stderr

  it.each([
    ['replica=3', 'replica'],
    ['services.bids.replicas=3', 'bids'],
    ['services.bid.replica=3', 'replica'],
    ['services.bid.autoscaling.by=hpa', 'by'],
    ['services.bid.env.DATABASE_URL=postgres://x', 'DATABASE_URL'],
    ['services.bid.env.lanes=3', 'lanes'],
    ['services.live.resources.limits.memory=1GB', 'memory'],
    ['ingress.class=nginx', 'class'],
    ['networkPolicy.callers[0].namespace=x', 'namespace'],
    ['networkPolicy.databasePorts[0]=5432', 'databasePorts'],
    ['services.live.env.BID_URL=http://x', 'BID_URL'],
    ['auth.mode=oidc', 'mode'],
    ['auth.leewaySeconds=61', 'leewaySeconds'],
  ])('refuse %s', (set, word) => {
    expect(refused(`--set=${set}`)).toContain(word)
  })

  it('say what is missing', () => {
    expect(template('bidmesh', []).stderr).toContain('auth.mode has to be chosen')
    expect(refused('--set=ingress.enabled=true')).toContain('hosts.api.name')
    expect(refused('--set=auth.mode=jwt')).toContain('auth.issuer, auth.audience')
  })
})

type Path = { path: string; pathType: string; backend: { service: { name: string } }; of: string }
type HttpRule = {
  matches: [{ path: { type: string; value: string } }]
  backendRefs: [{ name: string }]
  timeouts: { request: string }
}
type ComposeFile = { services: Record<string, { environment: Record<string, string> }> }
type GrpcRule = { matches: [{ method: { service: string } }] }

/** By the rules of both specifications: exact before prefix, longer before shorter, element by element. */
function bestOf<Each extends { path: string; pathType: string }>(
  paths: readonly Each[],
  path: string,
): Each {
  const withSlash = (prefix: string) => (prefix.endsWith('/') ? prefix : `${prefix}/`)
  const exact = paths.find((each) => each.pathType === 'Exact' && each.path === path)
  const [longest] = paths
    .filter((each) => each.pathType === 'Prefix' && path.startsWith(withSlash(each.path)))
    .toSorted((a, b) => b.path.length - a.path.length)
  const best = exact ?? longest
  if (!best) throw new Error(`no route for ${path}`)
  return best
}

const processOf: Readonly<Record<string, string>> = {
  bids: 'bid',
  userstats: 'stats',
  live: 'live',
}

/** Asked by other services only, so that nothing leads there from outside. */
const internal = 'bids.v1.ItemSourceService'
const isInternal = (file: string) => file.endsWith('/item_source_service.proto')

function proceduresOfProtos() {
  const folder = join(root, 'proto')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.proto') && !file.startsWith('grpc/') && !isInternal(file))
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), 'utf8')
      const packageName = /^package ([\w.]+);/m.exec(text)?.[1] ?? ''
      return [...text.matchAll(/^service (\w+) \{(.*?)^\}/gms)].flatMap(([, service, body = '']) =>
        [...body.matchAll(/rpc (\w+)\([^)]*\) returns \((stream )?/g)].map(([, rpc, stream]) => ({
          service: `${packageName}.${service}`,
          path: `/${packageName}.${service}/${rpc}`,
          streams: stream !== undefined,
          process: processOf[packageName.split('.')[0] ?? ''],
        })),
      )
    })
}

/** The names that a process' own reader of the environment asks for. */
function variablesRead(process: string): string[] {
  const readers: Record<string, (env: NodeJS.ProcessEnv) => unknown> = {
    bid: readBidConfig,
    auctioneer: readAuctioneerConfig,
    'outbox-worker': readRelayConfig,
    stats: readStatsConfig,
    live: readLiveConfig,
    web: readWebConfig,
    'dev-issuer': readDevIssuerConfig,
    rebuild: readRebuildConfig,
    migrate: readMigrateConfig,
  }
  const names: string[] = []
  const env = new Proxy<NodeJS.ProcessEnv>({}, { get: (_, name) => void names.push(String(name)) })
  const read = readers[process]
  if (!read) throw new Error(`who reads the environment of ${process}?`)
  try {
    read(env)
  } catch (error) {
    // Nothing is set, so whatever has no default is missing.
    if (!(error instanceof ConfigError)) throw error
  }
  return names
}

/** Names of those whose pods are given a variable. */
function podsWith(manifests: readonly Manifest[], variable: string): string[] {
  const given = (manifest: Manifest) =>
    (podSpecOf(manifest)?.containers ?? []).flatMap(({ env = [], envFrom = [] }) => [
      ...env.map(({ name }) => name),
      ...envFrom.flatMap(({ configMapRef }) =>
        Object.keys(named(manifests, 'ConfigMap', configMapRef.name).data ?? {}),
      ),
    ])
  return manifests
    .filter((manifest) => given(manifest).includes(variable))
    .map(({ metadata }) => metadata.name)
    .toSorted()
}

function checksums(manifests: readonly Manifest[]): Record<string, string> {
  return Object.fromEntries(
    ofKind(manifests, 'Deployment').map(({ metadata, spec }) => [
      metadata.name,
      spec.template.metadata.annotations['checksum/config'],
    ]),
  )
}

function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = ofKind(manifests, kind).find(({ metadata }) => metadata.name === name)
  if (!found) throw new Error(`no ${kind} ${name}`)
  return found
}

function containerOf(spec: Manifest['spec']): Container {
  return spec.template.spec.containers[0]
}

function podSpec(manifests: readonly Manifest[], name: string) {
  // A Service and an account have the same name.
  const alike = manifests.filter(({ metadata }) => metadata.name === name)
  const [spec] = alike.flatMap((manifest) => podSpecOf(manifest) ?? [])
  if (!spec) throw new Error(`no pods of ${name}`)
  return spec
}

type Selector = {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: 'In' | 'NotIn'; values: string[] }[]
}

/** Names of those whose pods a selector means. */
function selected(manifests: readonly Manifest[], selector: Selector): string[] {
  const { matchLabels = {}, matchExpressions = [] } = selector
  return manifests
    .filter(({ kind, spec }) => {
      const pods = kind === 'CronJob' ? spec.jobTemplate.spec.template : spec.template
      const { labels } = pods.metadata
      return (
        Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
        matchExpressions.every(
          ({ key, operator, values }) => values.includes(labels[key]) === (operator === 'In'),
        )
      )
    })
    .map(({ metadata }) => metadata.name)
}
