/**
 * Builds the TypeScript client as a package that any project can install: `make client` writes
 * `dist/bidmesh-client-<version>.tgz`. It is packages/client and what is generated, as JavaScript with types.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { capture, root, run } from './run.ts'

type Manifest = {
  name: string
  version: string
  description: string
  license: string
  dependencies: Record<string, string>
}

/** What others have of `gen/`: the services of gRPC itself are not ours. */
const generated = ['auth', 'bids', 'events', 'google', 'live', 'rules', 'userstats']
const sourceDir = join(root, 'packages/client')

/** Returns the path of the package. */
export function buildClient(): string {
  const outDir = join(root, 'dist')
  const packageDir = join(outDir, 'client')
  const sources = join(packageDir, 'src')
  rmSync(packageDir, { recursive: true, force: true })
  mkdirSync(sources, { recursive: true })
  for (const folder of generated) copySources(join(root, 'gen', folder), join(sources, folder))
  copySources(join(sourceDir, 'src'), sources)
  cpSync(join(sourceDir, 'README.md'), join(packageDir, 'README.md'))
  cpSync(join(root, 'LICENSE'), join(packageDir, 'LICENSE'))
  writeFileSync(join(packageDir, 'package.json'), `${JSON.stringify(published(), null, 2)}\n`)
  writeFileSync(join(packageDir, 'tsconfig.json'), JSON.stringify(compilation))
  run('tsc', ['-p', packageDir])
  const packed = capture('npm', ['pack', packageDir, '--pack-destination', outDir, '--silent'])
  if (!packed.ok) throw new Error('npm could not pack the client')
  return join(outDir, packed.text.trim())
}

/** With imports as they are to be in JavaScript. */
function copySources(from: string, to: string): void {
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const text = readFileSync(join(from, file), 'utf8')
    mkdirSync(dirname(join(to, file)), { recursive: true })
    writeFileSync(
      join(to, file),
      text
        .replaceAll(/(['"])@bidmesh\/gen\//g, '$1./')
        .replaceAll(/(from ['"]\..*)\.ts(['"])/g, '$1.js$2'),
    )
  }
}

const compilation = {
  extends: '../../tsconfig.json',
  compilerOptions: {
    target: 'es2022',
    lib: ['es2023'],
    noEmit: false,
    allowImportingTsExtensions: false,
    declaration: true,
    rootDir: 'src',
    outDir: 'dist',
  },
  include: ['src'],
  exclude: [],
}

function published() {
  const own = manifestOf(sourceDir)
  const { '@bidmesh/gen': _, ...dependencies } = own.dependencies
  const { name, version, description, license } = own
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20' },
    files: ['dist'],
    exports: {
      '.': './dist/index.js',
      './node': './dist/node.js',
      // What is generated: messages, enums and services, by the paths of their protos.
      ...Object.fromEntries(generated.map((folder) => [`./${folder}/*`, `./dist/${folder}/*`])),
    },
    // Any that is compatible: whoever has one of them already needs no second one.
    dependencies: Object.fromEntries(
      Object.entries({ ...manifestOf(join(root, 'gen')).dependencies, ...dependencies }).map(
        ([dependency, exact]) => [dependency, `^${exact}`],
      ),
    ),
  }
}

function manifestOf(folder: string): Manifest {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return manifest
}

if (import.meta.main) process.stdout.write(`npm install ${buildClient()}\n`)
