/** Who may import whom, over the imports of all sources, those of types included. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'
import { repository } from './repository.ts'

/** Files that each file imports, by their paths from the repository's root. */
type Imports = ReadonlyMap<string, readonly string[]>

const sources = execFileSync('git', ['ls-files', '*.ts', '*.tsx'], {
  cwd: repository,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.startsWith('gen/') && existsSync(join(repository, file)))
const packageFiles = execFileSync('git', ['ls-files', '*package.json'], {
  cwd: repository,
  encoding: 'utf8',
}).trim()
const folders = new Map(
  packageFiles.split('\n').map((file) => {
    const { name }: { name: string } = JSON.parse(readFileSync(join(repository, file), 'utf8'))
    return [name, dirname(file)]
  }),
)
const imports: Imports = new Map(sources.map((file) => [file, importsOf(file)]))

function importsOf(file: string): string[] {
  const text = readFileSync(join(repository, file), 'utf8')
  const named = [...text.matchAll(/\b(?:from|import|mock)\s*\(?\s*(['"])([^'"]+)\1/g)]
  return named.flatMap(([, , name = '']) => {
    if (name.startsWith('.')) return normalize(join(dirname(file), name))
    const [, workspace = '', rest = 'index'] = /^(@bidmesh\/[\w-]+)(?:\/(.+))?$/.exec(name) ?? []
    const folder = folders.get(workspace)
    if (folder === undefined) return []
    return join(folder, folder === 'gen' ? '' : 'src', rest.replace(/(?<!\.ts)$/, '.ts'))
  })
}

/** `packages/auction`, `services/bid`, `bench` … */
function partOf(file: string): string {
  const [first = '', second = ''] = file.split('/')
  return ['packages', 'services'].includes(first) ? `${first}/${second}` : first
}

/** Which part imports which, tests and what is generated included. */
function dependencies(): Set<string> {
  const pairs = [...imports].flatMap(([file, imported]) =>
    imported.map((other) => [partOf(file), partOf(other)] as const),
  )
  const others = pairs.filter(([from, to]) => from !== to && to !== 'gen')
  return new Set(others.map((pair) => pair.join(' imports ')))
}

/** The files of each cycle, as it was first met. */
function cyclesOf(graph: Imports): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) cycles.push(path.slice(at))
    if (at >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return cycles
}

it('no file imports itself by way of others', () => {
  expect(imports.size).toBeGreaterThan(500)
  expect(cyclesOf(imports)).toEqual([])
})

it('would find a cycle', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', []],
    ['d', ['b']],
  ])
  expect(cyclesOf(graph)).toEqual([['b', 'd']])
})

it('packages import nothing of services, and services no other service', () => {
  const found = [...dependencies()].toSorted()
  expect(found.filter((each) => each.startsWith('packages/'))).toEqual([
    'packages/events imports packages/auction',
    'packages/events imports packages/platform',
    // It checks what services have stored, so it knows how.
    'packages/invariants imports packages/auction',
    'packages/invariants imports packages/events',
    'packages/invariants imports packages/platform',
    'packages/invariants imports services/bid',
    // Of it, what knows no auction either: deadlines and retries.
    'packages/platform imports packages/client',
  ])
  const services = found.filter((each) => /^services\/.* imports (?!packages\/)/.test(each))
  expect(services).toEqual([])
  expect(found.filter((each) => /^services\/.* imports packages\/invariants/.test(each))).toEqual(
    [],
  )
})

it('the platform knows no auction', () => {
  const isOfPlatform = (file: string) => /^packages\/platform\/(?!.*\.test\.ts$)/.test(file)
  const reached = new Set([...imports.keys()].filter(isOfPlatform))
  // By way of others, too.
  for (const file of reached) for (const next of imports.get(file) ?? []) reached.add(next)
  const ofAuction = /^gen\/(bids|events|live|userstats)\//
  expect([...reached].filter((file) => ofAuction.test(file))).toEqual([])
})
