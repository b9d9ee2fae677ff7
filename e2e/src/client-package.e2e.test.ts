/**
 * The client as a stranger uses it: packed, in a project that has nothing of ours but the package and what its
 * manifest asks for, on the Node that runs the tests and on the one that installed us, in a bundle, and in types.
 * Nothing is asked of a registry: the project's dependencies are the ones we have.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from './repository.ts'
import { type StandaloneProcess, startStandalone } from './standalone-process.ts'

const run = promisify(execFile)

let directory: string
let project: string
let example: string
let standalone: StandaloneProcess

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bidmesh-client-'))
  standalone = await startStandalone(join(directory, 'data'), await freePort())
  project = join(directory, 'project')
  await installClient()
  const readme = await readFile(join(repository, 'README.md'), 'utf8')
  example = (/```js\n(.*?)```/s.exec(readme)?.[1] ?? '').replace(
    'http://localhost:8080',
    standalone.url,
  )
})

afterAll(async () => {
  await standalone?.end('SIGTERM')
  await rm(directory, { recursive: true, force: true })
})

/** What `npm install` of the package and Connect would put there. */
async function installClient(): Promise<void> {
  const modules = join(project, 'node_modules')
  const client = join(modules, '@bidmesh/client')
  await mkdir(client, { recursive: true })
  const { stdout } = await run('node', ['scripts/build-client.ts'], { cwd: repository })
  const packed = /npm install (\S+)/.exec(stdout)?.[1] ?? ''
  await run('tar', ['-xzf', packed, '-C', client, '--strip-components=1'])
  const manifest = await readManifest(client)
  await copyWithDependencies(modules, [
    ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
    '@connectrpc/connect-node',
    '@connectrpc/connect-web',
    '@types/node',
  ])
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
}

type Manifest = Record<'dependencies' | 'peerDependencies', Record<string, string>>

async function readManifest(of: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(of, 'package.json'), 'utf8')) as Manifest
}

async function copyWithDependencies(modules: string, names: readonly string[]): Promise<void> {
  const seen = new Set<string>()
  for (const queue = [...names]; queue.length > 0;) {
    const name = queue.pop() ?? ''
    if (seen.has(name)) continue
    seen.add(name)
    const from = join(repository, 'node_modules', name)
    await cp(from, join(modules, name), { recursive: true })
    queue.push(...Object.keys((await readManifest(from)).dependencies ?? {}))
  }
}

const accepted = /^.+: \d+ cents, bid number \d+$/m

async function runProgram(node: string, program: string): Promise<string> {
  const file = join(project, 'program.js')
  await writeFile(file, program)
  const { stdout, stderr } = await run(node, [file], { cwd: project }).catch((error: unknown) => {
    // The end says what is wrong; the beginning may be a bundle on one line.
    const told = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    return { stdout: '', stderr: told.slice(-1_000) }
  })
  expect(stderr).toBe('')
  return stdout
}

it('runs the README’s example', async () => {
  expect(await runProgram(process.execPath, example)).toMatch(accepted)
})

it('runs it on the Node that has installed us', async () => {
  const own = join(repository, 'node_modules')
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(own))
  const { stdout } = await run('which', ['node'], { env: { PATH: path.join(delimiter) } })
  expect(dirname(stdout)).not.toMatch(own)
  expect(await runProgram(stdout.trim(), example)).toMatch(accepted)
})

it('has types for a strict project', async () => {
  await writeFile(join(project, 'program.ts'), example)
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext']
  const tsc = join(repository, 'node_modules/.bin/tsc')
  // A compiler's complaints are on stdout, and rejected with.
  const checked = await run(tsc, [...options, '--types', 'node', 'program.ts'], {
    cwd: project,
  }).catch((error: unknown) => error)
  expect(checked).toMatchObject({ stdout: '' })
  await writeFile(join(project, 'wrong.ts'), example.replace('amount:', 'price:'))
  const wrong = run(tsc, [...options, '--types', 'node', 'wrong.ts'], { cwd: project })
  await expect(wrong).rejects.toMatchObject({ stdout: expect.stringContaining("'price'") })
})

it('works in a bundle', async () => {
  await writeFile(
    join(project, 'page.js'),
    example.replaceAll('connect-node', 'connect-web').replace(", httpVersion: '1.1'", ''),
  )
  const vite = join(repository, 'node_modules/.bin/vite')
  await writeFile(
    join(project, 'vite.config.js'),
    `export default { build: { lib: { entry: 'page.js', formats: ['es'], fileName: 'page' } } }`,
  )
  await run(vite, ['build', '--logLevel', 'warn'], { cwd: project })
  const bundle = await readFile(join(project, 'dist/page.js'), 'utf8')
  await rm(join(project, 'node_modules'), { recursive: true })
  expect(await runProgram(process.execPath, bundle)).toMatch(accepted)
})
