import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import { claimDataDirectory, DataDirectoryInUseError } from './data-directory.ts'

let database: TestDatabase
let children: ChildProcess[]

beforeEach(async () => {
  database = await createTestDatabase()
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await database.drop()
})

/** Another process that claims the directory and stays; resolves with what it says. */
async function claimElsewhere(address: string): Promise<{ child: ChildProcess; said: string }> {
  const script = `
    import { claimDataDirectory } from ${JSON.stringify(import.meta.resolve('./data-directory.ts'))}
    setInterval(() => undefined, 1000)
    try {
      await claimDataDirectory(${JSON.stringify({ url: database.url, dataDir: '/the/data', address })})
      console.log('claimed')
    } catch (error) {
      console.log(error.name + ': ' + error.message)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [said] = await once(createInterface(child.stdout), 'line')
  return { child, said: String(said) }
}

test('of processes that race for a directory one wins, and the others name it', async () => {
  const racers = await Promise.all(['http://one', 'http://two', 'http://three'].map(claimElsewhere))
  const winner = racers.find(({ said }) => said === 'claimed')
  const losers = racers.filter((racer) => racer !== winner)
  expect(losers).toHaveLength(2)
  for (const { said } of losers) {
    expect(said).toContain('DataDirectoryInUseError: /the/data is already used by ')
    expect(said).toContain(`pid ${winner?.child.pid} (http://`)
  }
})

test('a claim ends with its process, even by kill -9', async () => {
  const { child, said } = await claimElsewhere('http://killed')
  expect(said).toBe('claimed')
  const options = { url: database.url, dataDir: '/the/data', address: 'http://next' }
  await expect(claimDataDirectory(options)).rejects.toThrow(DataDirectoryInUseError)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const claim = await claimDataDirectory(options)
  await claim.release()
})

test('a released claim is free at once', async () => {
  const options = { url: database.url, dataDir: '/the/data', address: 'http://here' }
  const first = await claimDataDirectory(options)
  await expect(claimDataDirectory(options)).rejects.toThrow(`pid ${process.pid} (http://here)`)
  await first.release()
  const second = await claimDataDirectory(options)
  await second.release()
})
