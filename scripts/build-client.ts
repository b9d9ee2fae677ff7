/**
 * Builds the TypeScript client as a package that any project can install: `make client` writes
 * `dist/bidmesh-client-<version>.tgz`. It is the generated code as JavaScript with types, for any Node from 20
 * and for bundlers; the transport is the user's choice of Connect's packages.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeProtoDeps } from './proto-deps.ts'
import { capture, root, run } from './run.ts'

type Manifest = { version: string; license: string; dependencies: Record<string, string> }

/** Returns the path of the package. */
export function buildClient(): string {
  const outDir = join(root, 'dist')
  const packageDir = join(outDir, 'client')
  rmSync(packageDir, { recursive: true, force: true })
  mkdirSync(packageDir, { recursive: true })
  writeProtoDeps()
  run('buf', ['generate', '--template', 'buf.gen.client.yaml', '--output', packageDir])
  const { version, license, dependencies }: Manifest = JSON.parse(
    readFileSync(join(root, 'gen/package.json'), 'utf8'),
  )
  const manifest = {
    name: '@bidmesh/client',
    version,
    license,
    description: 'Bidmesh from TypeScript: its services and messages, for @connectrpc/connect.',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20' },
    files: ['dist'],
    exports: { './*': './dist/*' },
    dependencies,
    peerDependencies: { '@connectrpc/connect': '^2.2.0' },
  }
  writeFileSync(join(packageDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  const packed = capture('npm', ['pack', packageDir, '--pack-destination', outDir, '--silent'])
  if (!packed.ok) throw new Error('npm could not pack the client')
  return join(outDir, packed.text.trim())
}

if (import.meta.main) {
  const path = buildClient()
  process.stdout.write(`npm install ${path} @connectrpc/connect @connectrpc/connect-node\n`)
}
