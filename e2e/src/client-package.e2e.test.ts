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
import { createBidmeshClient } from '@bidmesh/client'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repository } from './repository.ts'
import { type StandaloneProcess, startStandalone } from './standalone-process.ts'

const run = promisify(execFile)

let directory: string
let project: string
let example: string
/** The blocks of the package's own README, by their headings. */
let blocks: readonly (readonly [string, string])[]
let standalone: StandaloneProcess

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bidmesh-client-'))
  standalone = await startStandalone(join(directory, 'data'), await freePort())
  project = join(directory, 'project')
  await installClient()
  example = (await programsOf('README.md'))[0]?.[1] ?? ''
  blocks = await programsOf('packages/client/README.md')
})

afterAll(async () => {
  await standalone?.end('SIGTERM')
  await rm(directory, { recursive: true, force: true })
})

/** A document's blocks of JavaScript, by the headings above them, for this server. */
async function programsOf(document: string): Promise<[string, string][]> {
  const text = await readFile(join(repository, document), 'utf8')
  return text.split(/^## /m).flatMap((section) => {
    const [heading = ''] = section.split('\n', 1)
    const found = [...section.matchAll(/```js\n(.*?)```/gs)]
    return found.map(([, program = '']): [string, string] => [
      heading,
      program.replace('http://localhost:8080', standalone.url),
    ])
  })
}

/** What `npm install` of the package and Connect would put there. */
async function installClient(): Promise<void> {
  const modules = join(project, 'node_modules')
  const client = join(modules, '@bidmesh/client')
  await mkdir(client, { recursive: true })
  const { stdout } = await run('node', ['scripts/build-client.ts'], { cwd: repository })
  const packed = /npm install (\S+)/.exec(stdout)?.[1] ?? ''
  await run('tar', ['-xzf', packed, '-C', client, '--strip-components=1'])
  const manifest = await readManifest(client)
  await copyWithDependencies(modules, [...Object.keys(manifest.dependencies), '@types/node'])
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
}

type Manifest = { dependencies: Record<string, string> }

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

const told: Record<string, RegExp> = {
  Call: /^.+: \d+ cents, bid number \d+\n\d+ bidders lead the list\n$/,
  Watch: /^live\nstands at \d+\n$|^(\d+: \w+ bids \d+\n)+$/,
  Errors: /^too low: at least \d+ cents\n$/,
  'On Node': /^5 items by HTTP\/2\nthe first is .+\n$/,
}

it('runs every block of the package’s README, in JavaScript and as TypeScript', async () => {
  const { bids } = createBidmeshClient({ baseUrl: standalone.url })
  expect(blocks.map(([heading]) => heading)).toEqual([
    'Call',
    'Watch',
    'Watch',
    'Errors',
    'On Node',
  ])
  // What is listed first has a bid then, whichever block looks at it.
  const { items } = await bids.listItems({ pageSize: 1 })
  for (const { id, minimumNextBid } of items) {
    await bids.placeBid({ itemId: id, amount: minimumNextBid, userId: 'bob' })
  }
  for (const [heading, program] of blocks) {
    expect(await runProgram(process.execPath, program)).toMatch(told[heading] ?? heading)
    expect(await complaintsAbout(program)).toBe('')
  }
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

/** What the compiler says in a strict project. */
async function complaintsAbout(program: string): Promise<string> {
  await writeFile(join(project, 'program.ts'), program)
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext']
  const tsc = join(repository, 'node_modules/.bin/tsc')
  const { stdout } = await run(tsc, [...options, '--types', 'node', 'program.ts'], {
    cwd: project,
  }).catch((error: unknown) => ({
    stdout: error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error),
  }))
  return stdout
}

it('has types for a strict project', async () => {
  expect(await complaintsAbout(example)).toBe('')
  expect(await complaintsAbout(example.replace('amount:', 'price:'))).toContain("'price'")
})

it('works in a bundle', async () => {
  await writeFile(join(project, 'page.js'), example)
  const vite = join(repository, 'node_modules/.bin/vite')
  await writeFile(
    join(project, 'vite.config.js'),
    `export default { build: { lib: { entry: 'page.js', formats: ['es'], fileName: 'page' } } }`,
  )
  await run(vite, ['build', '--logLevel', 'warn'], { cwd: project })
  const bundle = await readFile(join(project, 'dist/page.js'), 'utf8')
  // Nothing of Node, and nothing that is not used.
  expect(bundle).not.toMatch(/node:|Http2SessionManager|requestHealthCheck/)
  await rm(join(project, 'node_modules'), { recursive: true })
  expect(await runProgram(process.execPath, bundle)).toMatch(accepted)
})
