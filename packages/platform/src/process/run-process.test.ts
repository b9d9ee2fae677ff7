/** The life of a process, watched from outside: what it prints, how it ends, how fast. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { constants, getPriority } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { freePort } from './free-port.ts'
import { eventually } from '../testing/eventually.ts'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function run(env: Record<string, string> = {}, ipc = false, by: readonly string[] = []) {
  const main = join(import.meta.dirname, '../testing/counting-process.ts')
  const [program, ...args] = [...by, process.execPath, main]
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ipc ? 'ipc' : 'ignore'],
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...env },
  })
  children.push(child)
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const ended = exitCode(child)
  return {
    child,
    ended,
    out: () => out,
    err: () => err,
    /** What the process itself says, without its log. */
    words: () => out.split('\n').filter((line) => line !== '' && !line.startsWith('{')),
    says: (word: string) => eventually(() => out.includes(word)),
  }
}

/** When all it has written is here. Not by 'close', which Node leaves out after disconnect(). */
async function exitCode(child: ChildProcess): Promise<number | null> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null)
  await Promise.all([child, ...streams].map((one) => once(one, one === child ? 'exit' : 'close')))
  return child.exitCode
}

const url = /at (http:\/\/127\.0\.0\.1:\d+)\n/

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: server, components (last first), undo; exit 0',
  async (signal) => {
    const { child, ended, says, out, words } = run()
    await says('at http')
    const address = url.exec(out())?.[1]
    expect((await fetch(`${address}/readyz`)).status).toBe(200)
    expect(await (await fetch(`${address}/metrics`)).text()).toContain('bidmesh-counting')
    child.kill(signal)
    expect(await ended).toBe(0)
    expect(words().slice(1)).toEqual(['second stops', 'first stops', 'undone'])
  },
)

test.each([
  ['comes behind others', [], constants.priority.PRIORITY_BELOW_NORMAL],
  ['stays where it was put', ['nice', '-n', '19'], constants.priority.PRIORITY_LOW],
])('whoever gives way %s', async (_where, by, priority) => {
  const { child, says, ended } = run({ YIELDS: '1' }, false, by)
  await says('at http')
  expect(getPriority(child.pid ?? 0)).toBe(priority)
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})

test('faults of the configuration are printed together, exit 1', async () => {
  const { ended, err, out } = run({ PORT: 'http', LOG_LEVEL: 'loud', LANES: '0' })
  expect(await ended).toBe(1)
  expect(out()).toBe('')
  expect(err().trim().split('\n')).toEqual([
    'configuration is not usable:',
    expect.stringContaining('PORT cannot be used'),
    expect.stringContaining('LOG_LEVEL cannot be used'),
    expect.stringContaining('LANES cannot be used'),
  ])
})

test('a start that its user can mend prints the reason alone; what was begun is undone', async () => {
  const { ended, err, words } = run({ BEHAVE: 'cannot' })
  expect(await ended).toBe(1)
  expect(err()).toBe('the data directory is in use\n')
  expect(words()).toEqual(['undone'])
})

test('a taken port is such a reason, and the components are stopped', async () => {
  const holder = createServer()
  await once(holder.listen(0, '127.0.0.1'), 'listening')
  // What listen() with a port gives back is an AddressInfo.
  const { port } = holder.address() as AddressInfo
  const { ended, err, words } = run({ PORT: String(port) })
  expect(await ended).toBe(1)
  holder.close()
  expect(err()).toMatch(new RegExp(`^port ${port} of 127.0.0.1 is taken.*PORT=${port + 1}\n$`))
  expect(words()).toEqual(['second stops', 'first stops', 'undone'])
})

test('a start that breaks is logged once with its cause, exit 1', async () => {
  const { ended, out, words } = run({ BEHAVE: 'break' })
  expect(await ended).toBe(1)
  expect(out().match(/"level":"fatal"/g)).toHaveLength(1)
  expect(out()).toContain('deep down')
  expect(words()).toEqual(['undone'])
})

test.each(['crash', 'reject'])('an error nobody caught (%s) is logged, exit 1', async (behave) => {
  const { ended, out } = run({ BEHAVE: behave })
  expect(await ended).toBe(1)
  const fatal = out()
    .split('\n')
    .filter((line) => line.includes('"level":"fatal"'))
  expect(fatal).toEqual([expect.stringContaining('out of nowhere')])
})

test('asked to stop while it still starts: exit 0', async () => {
  const { child, ended, says, words } = run({ BEHAVE: 'wait' })
  await says('waiting')
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(words()).toEqual(['waiting', 'undone'])
})

test('while it starts it is alive, not ready, and says what it waits for', async () => {
  const at = `http://127.0.0.1:${await freePort()}`
  const { child, says } = run({ BEHAVE: 'be late', PORT: new URL(at).port })
  await says('waiting')
  const answers = async (path: string) => {
    const response = await fetch(at + path)
    return [response.status, await response.json()]
  }
  const message = 'waiting for Godot: it is unavailable'
  expect(await answers('/healthz')).toEqual([200, { status: 'ok' }])
  expect(await answers('/readyz')).toEqual([503, expect.objectContaining({ reason: message })])
  expect(await answers('/any.v1.Any/Thing')).toEqual([503, { code: 'unavailable', message }])
  child.kill('SIGUSR2')
  await says('at http')
  expect(await answers('/readyz')).toEqual([200, expect.objectContaining({ status: 'ok' })])
})

test('a second signal ends a stop that hangs, at once', async () => {
  const { child, ended, says } = run({ BEHAVE: 'hang' })
  await says('at http')
  child.kill('SIGTERM')
  await says('second stops')
  child.kill('SIGTERM')
  expect(await ended).toBe(1)
})

test('a stop that hangs is ended within 10 s without help', async () => {
  const { child, ended, says, out } = run({ BEHAVE: 'hang' })
  await says('at http')
  const startedAt = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toBe(1)
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  expect(out()).toContain('not stopped within 9000 ms')
}, 20_000)

test('BIDMESH_EXIT_WITH_PARENT: the end of the IPC channel is a request to stop', async () => {
  const { child, ended, says, words } = run({ BIDMESH_EXIT_WITH_PARENT: '1' }, true)
  await says('at http')
  child.disconnect()
  expect(await ended).toBe(0)
  expect(words().slice(1)).toEqual(['second stops', 'first stops', 'undone'])
})

test('without that variable a parent that goes is none of its business', async () => {
  const { child, says, out } = run({}, true)
  await says('at http')
  child.disconnect()
  const address = url.exec(out())?.[1]
  expect((await fetch(`${address}/healthz`)).status).toBe(200)
})
