import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { type BidmeshProcess, createBidmeshProcess, type ProcessSpec } from './bidmesh-process.ts'

const main = path.join(import.meta.dirname, 'testing/stand-in.ts')

let started: BidmeshProcess[]
let warnings: object[]
let lines: string[]

beforeEach(() => {
  started = []
  warnings = []
  lines = []
})

afterEach(async () => {
  await Promise.all(started.map(async (each) => await each.kill9()))
})

async function create(overrides: Partial<ProcessSpec> = {}): Promise<BidmeshProcess> {
  const standIn = createBidmeshProcess({
    name: 'stand-in-1',
    main,
    port: await freePort(),
    env: {},
    log: { info: () => undefined, warn: (fields) => warnings.push(fields) },
    output: (line) => lines.push(line),
    ...overrides,
  })
  started.push(standIn)
  return standIn
}

/** The process that answers at the address. */
async function answeringPid({ url }: BidmeshProcess): Promise<number> {
  return Number(await (await fetch(url)).text())
}

test('start resolves when the process is ready, stop lets it finish', async () => {
  const standIn = await create()
  expect(standIn.pid).toBeUndefined()
  await standIn.start()
  const { pid } = standIn
  expect((await fetch(`${standIn.url}/readyz`)).status).toBe(200)
  expect(await answeringPid(standIn)).toBe(pid)
  await standIn.stop()
  expect(isRunning(pid ?? 0)).toBe(false)
  expect(standIn.pid).toBeUndefined()
  await eventually(() => expect(lines).toEqual(['goodbye']))
  expect(warnings).toEqual([])
})

test('a process that ends by itself is started again at its address, and said so', async () => {
  const standIn = await create()
  await standIn.start()
  const { pid } = standIn
  process.kill(pid ?? 0, 'SIGKILL')
  const next = await eventually(async () => {
    const answering = await answeringPid(standIn)
    return answering !== pid && answering
  })
  expect(standIn.pid).toBe(next)
  expect(warnings).toEqual([{ process: 'stand-in-1', reason: 'SIGKILL', pauseMs: 250 }])
})

test('a process that keeps ending is started after growing pauses, until it is stopped', async () => {
  const standIn = await create()
  await standIn.start()
  for (const _ of [1, 2, 3]) {
    await eventually(() => standIn.pid !== undefined)
    const { pid } = standIn
    process.kill(pid ?? 0, 'SIGKILL')
    await eventually(() => standIn.pid !== pid)
  }
  expect(warnings).toMatchObject([{ pauseMs: 250 }, { pauseMs: 500 }, { pauseMs: 1_000 }])
  // Stopped while it waits for its next start.
  await standIn.stop()
  await expect(fetch(standIn.url)).rejects.toThrow('fetch failed')
})

test('what was killed through its handle stays down until it is started', async () => {
  const standIn = await create()
  await standIn.start()
  const { pid } = standIn
  await standIn.kill9()
  expect(isRunning(pid ?? 0)).toBe(false)
  await expect(fetch(standIn.url)).rejects.toThrow('fetch failed')
  await standIn.start()
  expect(await answeringPid(standIn)).toBe(standIn.pid)
  expect(warnings).toEqual([])
})

test('a start that fails says what the process said, and leaves it down', async () => {
  const standIn = await create({ env: { STAND_IN_FAILURE: 'DATABASE_URL is not set' } })
  await expect(standIn.start()).rejects.toThrow(
    /^stand-in-1 ended before.*\nDATABASE_URL is not set$/,
  )
  expect(standIn.pid).toBeUndefined()
})

test('a process does not outlive its supervisor, even by kill -9', async () => {
  const script = `
    import { createBidmeshProcess } from ${JSON.stringify(import.meta.resolve('./bidmesh-process.ts'))}
    const log = { info: () => undefined, warn: () => undefined }
    const spec = ${JSON.stringify({ name: 'stand-in-1', main, port: await freePort(), env: {} })}
    const standIn = createBidmeshProcess({ ...spec, log })
    await standIn.start()
    console.log(standIn.pid)`
  const supervisor = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [pid] = await once(createInterface(supervisor.stdout), 'line')
  expect(isRunning(Number(pid))).toBe(true)
  supervisor.kill('SIGKILL')
  await eventually(() => !isRunning(Number(pid)))
})
