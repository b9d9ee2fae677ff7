/** The relay as the process that runs in production. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { statsQueue } from '@bidmesh/events/queues.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { borrowQueue } from '@bidmesh/platform/testing/test-brokers.ts'
import { createTestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { afterEach, expect, inject, test } from 'vitest'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function startProcess(env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const main = new URL('main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main], { env: { PATH: process.env['PATH'], ...env } })
  children.push(child)
  let output = ''
  const collect = (bytes: Buffer) => {
    output += bytes.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return { child, output: () => output }
}

test('it is ready, with its queues declared and its metrics shown, and ends with 0 on SIGTERM', async () => {
  await using cleanup = new AsyncDisposableStack()
  const database = await createTestDatabase('services/bid/migrations')
  cleanup.defer(database.drop)
  const queue = await borrowQueue(statsQueue.name)
  cleanup.defer(queue.giveBack)
  const port = await freePort()
  const { child } = startProcess({
    DATABASE_URL: database.url,
    AMQP_URL: inject('amqpUrl'),
    PORT: String(port),
  })
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  await eventually(async () => expect((await get('/readyz')).status).toBe(200))
  expect(await queue.exists()).toBe(true)
  expect((await get('/healthz')).status).toBe(200)
  expect(await (await get('/metrics')).text()).toContain('bidmesh_outbox_backlog')
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})

test('a configuration that cannot be used is told in full, with exit code 1', async () => {
  const { child, output } = startProcess({ AMQP_URL: 'http://nowhere' })
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(output()).toContain('DATABASE_URL')
  expect(output()).toContain('AMQP_URL')
})
