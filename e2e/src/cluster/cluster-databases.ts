/** The databases in the cluster, reached past everything by a port-forward, and the invariants held against them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { checkInvariants } from '@bidmesh/invariants/check-invariants.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { connectPostgres, type Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { comesToRest } from '../faults/fault-round.ts'
import type { ClusterWorld } from './cluster-world.ts'

export type Databases = { bidSql: Sql; statsSql: Sql }

/** As the superuser; the connection goes when the pod does, so each use opens its own. */
export async function withDatabases<T>(
  { namespace, kubectl }: ClusterWorld,
  use: (databases: Databases) => Promise<T>,
): Promise<T> {
  await using cleanup = new AsyncDisposableStack()
  const port = await freePort()
  const forward = [
    '--namespace',
    namespace,
    'port-forward',
    'service/bidmesh-postgres',
    `${port}:5432`,
  ]
  const child = spawn('kubectl', forward, { stdio: 'ignore' })
  cleanup.defer(async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const path = '-o=jsonpath={.data.postgres}'
  const encoded = await kubectl('get', 'secret', 'bidmesh-credentials', path)
  const password = Buffer.from(encoded, 'base64').toString()
  const open = (database: string): Sql => {
    const url = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
    const sql = connectPostgres(url, { max: 2, applicationName: 'bidmesh-test' })
    cleanup.defer(() => sql.end({ timeout: 1 }))
    return sql
  }
  const databases = { bidSql: open('bidmesh_bid'), statsSql: open('bidmesh_stats') }
  await eventually(() => databases.bidSql`SELECT 1`)
  return await use(databases)
}

/** What `verify` puts up ends after two minutes. */
const restLimitMs = 180_000

/** Waits until nothing is under way, and holds all that was acknowledged against the databases: I1–I5 and I7. */
export async function holdInvariants(world: ClusterWorld): Promise<string> {
  return await withDatabases(world, async ({ bidSql, statsSql }) => {
    await comesToRest({ bidSql, statsSql }, restLimitMs)
    const { ledger } = world
    const violations = await checkInvariants({ bidSql, statsSql, ledger, fullHistory: true })
    if (violations.length > 0) {
      const lines = violations.map(({ invariant, message }) => `${invariant}: ${message}`)
      throw new Error(lines.join('; '))
    }
    return `I1–I7 hold over ${ledger.length} acknowledgements`
  })
}
