/**
 * Tiltfile, `ctlptl.yaml` and `deploy/tofu` as their own programs read them, where these are on the PATH (they cannot
 * be installed from Go modules); skipped, by name, where they are not. None of them reaches a cluster or Docker.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pathOf, root } from './tools.ts'

const isThere = (program: string) => spawnSync(program, ['version']).error === undefined

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bidmesh-own-programs-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function run(program: string, args: readonly string[], cwd = root, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    env: { ...process.env, DOCKER_HOST: `unix://${folder}/nobody.sock`, ...env },
  })
  return { ok: status === 0, text: stdout + stderr, stdout }
}

describe.skipIf(!isThere('ctlptl'))('ctlptl.yaml, by ctlptl', () => {
  const text = readFileSync(join(root, 'ctlptl.yaml'), 'utf8')
  const apply = (config: string) => {
    const file = join(folder, 'ctlptl.yaml')
    writeFileSync(file, config)
    return run('ctlptl', ['apply', '-f', file]).text
  }

  it('is understood as far as Docker, which is not there', () => {
    expect(apply(text)).toMatch(/docker/i)
  })

  it.each(['listenAddress: 127', 'registry:', 'extraPortMappings'])(
    'knows no other %s',
    (field) => {
      const misspelt = text.replace(field, `x${field}`)
      expect(misspelt).not.toBe(text)
      expect(apply(misspelt)).toContain(`x${field.split(':')[0]}`)
    },
  )
})

describe.skipIf(!isThere('tilt'))('Tiltfile, by Tilt', () => {
  const ingressController = JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'nginx-ingress-controller', namespace: 'nginx-ingress' },
    spec: {
      selector: { matchLabels: { app: 'nginx' } },
      template: {
        metadata: { labels: { app: 'nginx' } },
        spec: { containers: [{ name: 'nginx', image: 'nginx' }] },
      },
    },
  })
  const context = { name: 'kind-bidmesh', context: { cluster: 'none', user: 'none' } }
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': context.name, contexts: [context] },
    clusters: [{ name: 'none', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'none', user: {} }],
  }

  it('evaluates: every workload has its resource, its image and its order', () => {
    const shim = join(folder, 'helm')
    // Helm without a cluster, and without the registry of the controller's chart.
    writeFileSync(
      shim,
      `#!/bin/sh
case "$*" in *oci://*) echo '${ingressController}'; exit ;; esac
for each in "$@"; do
  shift
  case "$each" in --dry-run=server | --take-ownership) ;; *) set -- "$@" "$each" ;; esac
done
exec ${pathOf('helm')} "$@"
`,
    )
    chmodSync(shim, 0o755)
    writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig))
    const { ok, text, stdout } = run('tilt', ['alpha', 'tiltfile-result'], root, {
      PATH: `${folder}:${process.env['PATH']}`,
      KUBECONFIG: join(folder, 'kubeconfig'),
    })
    expect(ok, text).toBe(true)
    const result: { Error: unknown; Manifests: { Name: string }[] } = JSON.parse(stdout)
    expect(result.Error ?? null).toBeNull()
    const names = result.Manifests.map(({ Name }) => Name)
    const services = ['bid', 'auctioneer', 'outbox-worker', 'stats', 'live', 'web', 'postgres']
    expect(names).toEqual(
      expect.arrayContaining([
        'nginx-ingress-controller',
        ...services.map((name) => `bidmesh-${name}`),
        ...['migrate-bid', 'migrate-stats'].map((name) => `bidmesh-${name}`),
        ...['seed', 'bots', 'smoke-test', 'bench'],
      ]),
    )
  }, 60_000)
})

describe.skipIf(!isThere('tofu'))('deploy/tofu, by OpenTofu', () => {
  it('is formatted', () => {
    const { ok, text } = run('tofu', ['fmt', '-check', '-recursive', '-diff', 'deploy/tofu'])
    expect(ok, text).toBe(true)
  })

  it('plans what its variables ask for', () => {
    for (const part of ['deploy/tofu', 'helm'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    const place = join(folder, 'deploy/tofu')
    for (const args of [['init', '-backend=false'], ['validate'], ['test']]) {
      const { ok, text } = run('tofu', [...args, '-no-color'], place)
      expect(ok, `tofu ${args[0]}: ${text}`).toBe(true)
    }
  }, 300_000)
})
