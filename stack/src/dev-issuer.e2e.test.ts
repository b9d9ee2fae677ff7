/** The stack with a development issuer: callers and services show tokens, and the lines it greets with still work. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, startStack } from './start-stack.ts'
import { welcome } from './welcome.ts'

const run = promisify(execFile)

let stack: Stack

beforeAll(async () => {
  stack = await startStack({
    devIssuer: true,
    bidProcesses: 1,
    relayProcesses: 1,
    liveProcesses: 1,
    log: { info: () => undefined, warn: () => undefined },
    env: { LOG_LEVEL: 'error' },
  })
})

afterAll(async () => {
  await stack.stop()
})

test('the curl lines it greets with work as pasted, streams included', async () => {
  const lines = welcome(stack)
    .split('\n')
    .filter((line) => /^ +(token\(\)|ITEM=|curl )/.test(line))
    .map((line) =>
      line.includes('-sN') ? line.replace('-sN', '-sN --max-time 2') + ' || true' : line,
    )
  expect(lines.at(0)).toContain('token()')
  const { stdout } = await run('bash', ['-ec', lines.join('\n')])
  expect(stdout).toContain('"amount":"1500"')
  // Live has shown its own token to the bid service.
  expect(stdout).toMatch(/^id: 1\ndata: \{"sequence":"1"/m)
})

test('nobody is believed without a token', async () => {
  await eventually(async () => {
    const response = await fetch(`${stack.bid[0]?.url}/bids.v1.BidService/CreateItem`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"title":"Clock","start_price":"1","seller_id":"sam","end_at":"2099-01-01T00:00:00Z"}',
    })
    expect(response.status).toBe(401)
  })
})
