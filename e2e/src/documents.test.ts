/** What documents name exists: files, make targets, npm scripts, headings of links. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repository } from './repository.ts'

const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'bench/README.md',
  'deploy/README.md',
  'docs/identity.md',
  'docs/operations.md',
  'docs/values.md',
  ...readdirSync(join(repository, 'docs/decisions')).map((name) => `docs/decisions/${name}`),
  'helm/README.md',
  'packages/client/README.md',
  'services/bid/README.md',
  'services/dev-issuer/README.md',
  'services/live/README.md',
  'services/outbox-worker/README.md',
  'services/stats/README.md',
  'stack/README.md',
  'standalone/README.md',
  'web/README.md',
]

const makefile = readFileSync(join(repository, 'Makefile'), 'utf8')

describe.each(documents)('%s', (document) => {
  const text = readFileSync(join(repository, document), 'utf8')
  const here = dirname(join(repository, document))

  it('links to files and headings that exist', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')
    const local = targets.filter((target) => !/^https?:/.test(target))
    const broken = local.filter((target) => {
      const [path = '', heading] = target.split('#')
      const file = path ? join(here, path) : join(repository, document)
      if (!existsSync(file)) return true
      return heading !== undefined && !headings(readFileSync(file, 'utf8')).includes(heading)
    })
    expect(broken).toEqual([])
  })

  it('names files that exist', () => {
    const code = [...text.matchAll(/`([\w@./-]+\/[\w.-]+\.(?:tsx?|proto|sql|md))`/g)]
    const missing = code
      .map((match) => match[1] ?? '')
      .filter((path) => !existsSync(join(here, path)) && !existsSync(join(repository, path)))
    expect(missing).toEqual([])
    const run = [...text.matchAll(/node ((?:services|bench|stack|standalone)\/[\w./-]+\.ts)/g)]
    expect(
      run.map((match) => match[1] ?? '').filter((path) => !existsSync(join(repository, path))),
    ).toEqual([])
  })

  it('names make targets and npm scripts that exist', () => {
    const targets = [...text.matchAll(/\bmake ([a-z][a-z-]*)(?=[\s`.,;:)]|$)/gm)].map(
      (match) => match[1],
    )
    const inCode = targets.filter(
      (target) =>
        text.includes(`make ${target}\``) ||
        new RegExp(`^(?:\\S+=\\S+ )*make ${target}`, 'm').test(text),
    )
    for (const target of inCode) expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'))
    for (const [, script = '', workspace = '.'] of text.matchAll(
      /npm run ([\w-]+)(?: -w ([\w/-]+))?/g,
    )) {
      const json: { scripts?: Record<string, string> } = JSON.parse(
        readFileSync(join(repository, workspace, 'package.json'), 'utf8'),
      )
      expect(Object.keys(json.scripts ?? {})).toContain(script)
    }
  })
})

/** GitHub's anchors. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
