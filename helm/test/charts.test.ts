/** What holds for both charts and all of their value sets. */
import { describe, expect, it } from 'vitest'
import { kubernetesSchemas } from './kubernetes-schemas.ts'
import {
  type Chart,
  type Container,
  type Manifest,
  podSpecOf,
  render,
  runTool,
  template,
  valueSets,
} from './render.ts'

const sets = Object.entries(valueSets).flatMap(([chart, files]) =>
  files.map((values) => [chart as Chart, values] as const),
)

describe.each(sets)('%s with %s', (chart, values) => {
  const manifests = render(chart, values)
  const pods = manifests.flatMap((manifest) => {
    const spec = podSpecOf(manifest)
    return spec ? [{ name: manifest.metadata.name, spec }] : []
  })
  const containers = pods.flatMap(({ name, spec }) =>
    [...(spec.initContainers ?? []), ...spec.containers].map(
      (container) => [`${name}/${container.name}`, container] as const,
    ),
  )

  it('passes helm lint', () => {
    const { ok, stdout, stderr } = runTool('helm', ['lint', '--strict', chart, '--values', values])
    expect(ok, stdout + stderr).toBe(true)
  })

  it('is what Kubernetes and the operators know', () => {
    const { stdout } = template(chart, ['--values', values])
    const result = runTool(
      'kubeconform',
      ['-strict', '-summary', `-schema-location=${kubernetesSchemas()}`],
      stdout,
    )
    expect(result.ok, result.stdout + result.stderr).toBe(true)
    expect(result.stdout).toContain(`${manifests.length} resource`)
    expect(result.stdout).toContain('Skipped: 0')
  })

  it('has no two objects of one name', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    expect(names).toEqual([...new Set(names)])
  })

  it('passes Pod Security "restricted"', () => {
    for (const { name, spec } of pods) {
      expect(spec, name).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      })
      expect(spec.securityContext?.runAsUser, name).toBeGreaterThan(0)
      expect(spec.hostNetwork, name).toBeUndefined()
      const kinds = (spec.volumes ?? []).flatMap((volume) => Object.keys(volume))
      expect(['name', 'emptyDir', 'configMap', 'secret']).toEqual(expect.arrayContaining(kinds))
    }
    for (const [name, { securityContext }] of containers) {
      expect(securityContext, name).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    }
  })

  it('lets every container write to /tmp, and bounds its memory', () => {
    for (const [name, { volumeMounts, resources }] of containers) {
      expect(volumeMounts, name).toContainEqual({ name: 'tmp', mountPath: '/tmp' })
      expect(resources?.limits?.memory, name).toMatch(/^\d+[MG]i$/)
    }
  })

  it('keeps secrets out of everything but secrets', () => {
    expect(secretsIn(manifests)).toEqual([])
    for (const [name, container] of containers) expect(plainSecrets(container), name).toEqual([])
  })
})

it('is held against schemas that know what does not exist', () => {
  const { stdout } = template('bidmesh', ['--values', 'bidmesh/ci/minimal.yaml'])
  const misspelt = stdout.replace('readinessProbe:', 'readynessProbe:')
  const result = runTool('kubeconform', [`-schema-location=${kubernetesSchemas()}`], misspelt)
  expect(result.ok).toBe(false)
  expect(result.stdout).toContain("'readynessProbe' not allowed")
})

/** URLs with a password, outside of the objects made for them. */
function secretsIn(manifests: readonly Manifest[]): string[] {
  const text = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Secret'))
  return [...text.matchAll(/\w+:\/\/[^"\s/]*:[^"\s/]*@/g)].map(([match]) => match)
}

/** Variables that say by their names that they are secret, and have a value in the clear. */
function plainSecrets({ env = [] }: Container): string[] {
  const secret = /PASSWORD|PASS$|SECRET|ACCESS_KEY|(?:DATABASE|AMQP|REDIS)_URL$/
  return env
    .filter(({ name, valueFrom }) => secret.test(name) && !valueFrom?.secretKeyRef)
    .map(({ name }) => name)
}
