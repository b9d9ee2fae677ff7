import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { isRunning } from '../process/process-end.ts'
import { eventually } from './eventually.ts'
import { createPrivateDirectory } from './private-directory.ts'

/** A process group that only a signal ends. */
function startSleeper(): number {
  return spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).pid ?? 0
}

test('removing it ends what is named in it, and nothing else', async () => {
  const directory = await createPrivateDirectory()
  const [named, forgotten] = [startSleeper(), startSleeper()]
  await directory.reap('named', -named, 'KILL')
  await directory.reap('forgotten', -forgotten, 'KILL')
  await directory.forget('forgotten')
  await writeFile(path.join(directory.path, 'data'), 'data')
  await directory.remove()
  expect(existsSync(directory.path)).toBe(false)
  expect([named, forgotten].filter(isRunning)).toEqual([forgotten])
  process.kill(forgotten, 'SIGKILL')
})

test('who is asked gently gets the time to finish', async () => {
  const directory = await createPrivateDirectory()
  const proof = path.join(await mkdtemp(path.join(tmpdir(), 'bidmesh-test-')), 'finished')
  const script = `trap 'sleep 0.3; touch ${proof}; exit' QUIT; echo ready; while :; do sleep 1; done`
  const slow = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  await once(createInterface(slow.stdout), 'line')
  await directory.reap('slow', -(slow.pid ?? 0), 'QUIT')
  await directory.remove()
  expect(existsSync(proof)).toBe(true)
  await rm(path.dirname(proof), { recursive: true })
})

test('what ignores the gentle signal is killed', async () => {
  const directory = await createPrivateDirectory()
  const stubborn = spawn('sh', ['-c', 'trap "" QUIT; echo ready; while :; do sleep 1; done'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(createInterface(stubborn.stdout), 'line')
  await directory.reap('stubborn', -(stubborn.pid ?? 0), 'QUIT')
  await directory.remove()
  expect(isRunning(stubborn.pid ?? 0)).toBe(false)
}, 15_000)

test.each(['SIGKILL', 'SIGINT'] as const)('it goes with its owner, ended by %s', async (signal) => {
  const script = `
    import { spawn } from 'node:child_process'
    import { createPrivateDirectory } from ${JSON.stringify(import.meta.resolve('./private-directory.ts'))}
    const directory = await createPrivateDirectory()
    const { pid } = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
    await directory.reap('sleeper', -pid, 'KILL')
    console.log(JSON.stringify({ path: directory.path, pid }))`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(owner.stdout), 'line')
  const directory: { path: string; pid: number } = JSON.parse(String(line))
  expect(isRunning(directory.pid)).toBe(true)
  // The whole group, as a terminal's Ctrl-C does.
  process.kill(-(owner.pid ?? 0), signal)
  await eventually(() => !isRunning(directory.pid) && !existsSync(directory.path))
})
