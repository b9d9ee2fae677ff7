/** The relay as the process that runs in production. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '@bidmesh/platform/free-port.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
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

test('it is ready, shows its metrics, and ends with 0 on SIGTERM', async () => {
  const database = await createTestDatabase('services/bid/migrations')
  const port = await freePort()
  const { child } = startProcess({
    DATABASE_URL: database.url,
    AMQP_URL: inject('amqpUrl'),
    PORT: String(port),
  })
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  await eventually(async () => expect((await get('/readyz')).status).toBe(200))
  expect((await get('/healthz')).status).toBe(200)
  expect(await (await get('/metrics')).text()).toContain('bidmesh_outbox_backlog')
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  await database.drop()
})

test('a configuration that cannot be used is told in full, with exit code 1', async () => {
  const { child, output } = startProcess({ AMQP_URL: 'http://nowhere' })
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(output()).toContain('DATABASE_URL')
  expect(output()).toContain('AMQP_URL')
})
