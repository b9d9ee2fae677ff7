/** Both databases are dumped to an S3-compatible store, lost, and restored from there into empty ones. */
import { holdInvariants, withDatabases } from './cluster-databases.ts'
import { type ClusterWorld, helmUpgrade, installChart } from './cluster-world.ts'
import { apply } from './command.ts'
import { verify } from './step-verify.ts'

const databases = { bidmesh_bid: 'bidmesh_bid_owner', bidmesh_stats: 'bidmesh_stats_owner' }
const keys = { 'access-key-id': 'bidmesh', 'secret-access-key': 'only-in-a-test' }

export async function backup(world: ClusterWorld): Promise<string> {
  const { namespace, kubectl } = world
  await startStore(world)
  const settings = [
    'backup.enabled=true',
    's3.endpoint=http://bidmesh-s3:9000',
    's3.bucket=backups',
  ]
  const sets = settings.flatMap((each) => ['--set', each])
  await helmUpgrade(namespace, 'bidmesh-infra', 'helm/infra', ['helm/values-infra-dev.yaml'], sets)
  const before = await countRows(world)
  const backupSeconds = await runJob(world, 'bidmesh-backup', 'before-the-loss')
  const startedMs = performance.now()
  await kubectl(
    'scale',
    'deployment',
    '--selector=app.kubernetes.io/part-of=bidmesh',
    '--replicas=0',
  )
  for (const [database, owner] of Object.entries(databases)) {
    await superuser(world, `DROP DATABASE ${database} WITH (FORCE)`)
    await superuser(world, `CREATE DATABASE ${database} OWNER ${owner}`)
  }
  const restoreSeconds = await runJob(world, 'bidmesh-restore', 'after-the-loss')
  const after = await countRows(world)
  if (JSON.stringify(after) !== JSON.stringify(before)) {
    throw new Error(`${JSON.stringify(before)} became ${JSON.stringify(after)}`)
  }
  // The migrations grant again what a dump without owners does not have.
  await installChart(world, 'helm')
  await verify(world)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  return (
    `${before.bids} bids dumped in ${backupSeconds} s, both databases lost and restored in ${restoreSeconds} s, ` +
    `verified ${seconds} s after the loss; ${await holdInvariants(world)}`
  )
}

/** rclone, which the backups use anyway, is a store as well. */
async function startStore({ namespace, kubectl }: ClusterWorld): Promise<void> {
  const name = 'bidmesh-s3'
  const labels = { app: name }
  const auth = `${keys['access-key-id']},${keys['secret-access-key']}`
  const args = [
    'serve',
    's3',
    '/data',
    '--addr=:9000',
    `--auth-key=${auth}`,
    '--cache-dir=/tmp/cache',
  ]
  const container = {
    name,
    image: 'rclone/rclone:1.74',
    args,
    ports: [{ containerPort: 9000 }],
    readinessProbe: { tcpSocket: { port: 9000 } },
    // A folder is a bucket, and backups expect theirs to be there.
    volumeMounts: [{ name: 'data', mountPath: '/data/backups' }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  }
  const spec = {
    containers: [container],
    volumes: [{ name: 'data', emptyDir: {} }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  }
  const ports = [{ port: 9000 }]
  await apply(
    namespace,
    { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec },
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: labels, ports } },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: keys },
  )
  await kubectl('wait', 'pod', name, '--for=condition=Ready', '--timeout=3m')
}

/** Runs what a CronJob would run, and returns the seconds it took. */
async function runJob({ kubectl }: ClusterWorld, from: string, name: string): Promise<number> {
  const startedMs = performance.now()
  await kubectl('create', 'job', `--from=cronjob/${from}`, name)
  await kubectl('wait', 'job', name, '--for=condition=Complete', '--timeout=5m').catch(
    async (error: unknown) => {
      const log = await kubectl('logs', `job/${name}`, '--all-containers')
      throw new Error(`${from}: ${log}`, { cause: error })
    },
  )
  return Math.round((performance.now() - startedMs) / 1_000)
}

async function superuser({ kubectl }: ClusterWorld, statement: string): Promise<void> {
  await kubectl('exec', 'bidmesh-postgres-0', '--', 'psql', '-U', 'postgres', '-c', statement)
}

async function countRows(world: ClusterWorld) {
  return await withDatabases(world, async ({ bidSql, statsSql }) => {
    const [written] = await bidSql<{ bids: number; items: number; versions: number }[]>`
      SELECT (SELECT count(*)::int FROM bids) AS bids, count(*)::int AS items, sum(version)::int AS versions FROM items`
    const [read] = await statsSql<
      { inbox: number }[]
    >`SELECT count(*)::int AS inbox FROM inbox_events`
    return { bids: written?.bids, items: written?.items, versions: written?.versions, ...read }
  })
}
