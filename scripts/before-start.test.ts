/** What a newcomer is told, in one sentence, before anything is installed, built or started. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './run.ts'

let directory: string
const listening = createServer()
let takenPort: number

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'bidmesh-before-start-'))
  await once(listening.listen({ port: 0, host: '127.0.0.1' }), 'listening')
  const address = listening.address()
  takenPort = typeof address === 'object' && address ? address.port : 0
})
afterAll(() => {
  listening.close()
  rmSync(directory, { recursive: true })
})

function tellsOf(env: NodeJS.ProcessEnv): { status: number | null; stderr: string } {
  const script = join(root, 'scripts/before-start.mjs')
  return spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], PORT: '0', BIDMESH_DATA_DIR: directory, ...env },
  })
}

const oneSentence = (words: string) => new RegExp(`^[^\\n]*${words}[^\\n]*\\n$`)

describe('before the start', () => {
  it('tells of a port that is taken, and names the next', () => {
    const { status, stderr } = tellsOf({ PORT: String(takenPort) })
    expect(status).toBe(1)
    expect(stderr).toMatch(oneSentence(`port ${takenPort} .*PORT=\\d+ make start`))
  })

  it.each(['http', '0', '65536', '80.5'])('tells of %s, which is no port', (PORT) => {
    const { status, stderr } = tellsOf({ PORT })
    expect(status).toBe(1)
    expect(stderr).toMatch(oneSentence('is no port'))
  })

  it('tells of a data directory that is a file, or below one', () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    for (const BIDMESH_DATA_DIR of [file, join(file, 'below/that')]) {
      const { status, stderr } = tellsOf({ BIDMESH_DATA_DIR })
      expect(status).toBe(1)
      expect(stderr).toMatch(oneSentence('is not a directory'))
    }
  })

  it('says nothing when nothing is in the way, and makes no directory', () => {
    const path = join(directory, 'new/one')
    expect(tellsOf({ PORT: '24999', BIDMESH_DATA_DIR: path })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })
})

describe('the installation', () => {
  it.each([
    ['node', []],
    ['npm', ['node']],
  ])('tells that there is no %s', (missing, present) => {
    const bin = mkdtempSync(join(directory, 'bin-'))
    for (const program of ['cat', 'dirname', ...present]) {
      symlinkSync('/bin/true', join(bin, program))
    }
    const shell = spawnSync('/bin/sh', [join(root, 'scripts/install.sh'), 'run'], {
      encoding: 'utf8',
      cwd: root,
      env: { PATH: bin },
    })
    expect(shell.status).toBe(1)
    expect(shell.stderr).toMatch(oneSentence(`no ${missing} here.*from 20`))
  })
})
