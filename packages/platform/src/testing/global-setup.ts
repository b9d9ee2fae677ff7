/**
 * Starts the backing services once per test run, for all vitest projects together, and stops them at its
 * end. Workers learn their addresses by `inject('databaseUrl')` and so on.
 */
import { randomBytes } from 'node:crypto'
import type { TestProject } from 'vitest/node'
import { progressOnStderr } from '../process/progress-log.ts'
import { type BackingServices, startBackingServices } from './backing-services.ts'
import { dropTestDatabases } from './test-database.ts'

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- merges with vitest's own
  interface ProvidedContext {
    databaseUrl: string
    amqpUrl: string
    redisUrl: string
    /** In the name of every database of this run. */
    testRunId: string
  }
}

type Shared = { users: number; runId: string; services: Promise<BackingServices> }

// Each project loads this module anew, in one process: what they share is the process.
const shared: typeof globalThis & { bidmeshTestServices?: Shared } = globalThis

export async function setup(project: TestProject): Promise<void> {
  shared.bidmeshTestServices ??= {
    users: 0,
    runId: randomBytes(4).toString('hex'),
    services: startBackingServices({ log: progressOnStderr('[services]') }),
  }
  const { runId } = shared.bidmeshTestServices
  shared.bidmeshTestServices.users += 1
  const { databaseUrl, amqpUrl, redisUrl } = await shared.bidmeshTestServices.services
  project.provide('databaseUrl', databaseUrl)
  project.provide('amqpUrl', amqpUrl)
  project.provide('redisUrl', redisUrl)
  project.provide('testRunId', runId)
}

export async function teardown(): Promise<void> {
  const mine = shared.bidmeshTestServices
  if (mine === undefined) return
  mine.users -= 1
  if (mine.users > 0) return
  delete shared.bidmeshTestServices
  // A failed start has been told by the setup.
  const services = await mine.services.catch(() => undefined)
  if (services === undefined) return
  if (services.postgres === undefined) await dropTestDatabases(services.databaseUrl, mine.runId)
  await services.stop()
}
