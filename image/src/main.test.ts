/** The names and what becomes of their arguments, as somebody types them. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'

// A process each, on a machine that others use too.
vi.setConfig({ testTimeout: 60_000 })

type Answer = { code: unknown; out: string; err: string }

function bidmesh(...args: string[]): Promise<Answer> {
  return run('main.ts', args)
}

function run(file: string, args: readonly string[]): Promise<Answer> {
  const main = join(import.meta.dirname, file)
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env: {} }, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    )
  })
}

const services = ['bid', 'auctioneer', 'outbox-worker', 'stats', 'live', 'web']

it('lists what there is', async () => {
  const { code, out } = await bidmesh('--help')
  expect(code).toBe(0)
  for (const name of [
    ...services,
    'dev-issuer',
    'dev-service-token',
    'migrate',
    'rebuild',
    'verify-history',
  ]) {
    expect(out).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'))
  }
})

it.each([
  [[], /Usage: bidmesh/],
  [['acutioneer'], /unknown command 'acutioneer'\n\(Did you mean auctioneer\?\)/],
  [['bid', 'stats'], /too many arguments/],
  [['migrate'], /which database\? bid or stats/],
  [['verify-history'], /which items\? --all or --item ID/],
  [['verify-history', '--item', 'lamp'], /lamp is not the id of an item/],
  [['verify-history', '--all', '--kept-since', 'spring'], /spring is not a time/],
  [['migrate', 'bids'], /which database\? bid or stats/],
  [['migrate', 'bid', 'stats'], /which database\? bid or stats/],
])('refuses %j with words', async (args, words) => {
  const { code, out, err } = await bidmesh(...args)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(words)
})

const configured = [
  ...services.filter((name) => name !== 'web'),
  'migrate bid',
  'migrate stats',
  'rebuild',
  'verify-history --all',
]

it.each(configured)('%s begins with its configuration', async (words) => {
  const { code, err } = await bidmesh(...words.split(' '))
  const needed = words === 'live' ? 'BID_URL' : 'DATABASE_URL'
  expect(err).toMatch(new RegExp(`^configuration is not usable:\n(.*\n)*? {2}${needed} is not set`))
  expect(code).toBe(1)
})

it.each(['migrate', 'rebuild', 'verify-history'])('%s has a help of its own', async (name) => {
  const { code, out } = await bidmesh(name, '--help')
  expect(code).toBe(0)
  expect(out).toContain('DATABASE_URL')
})

it('for development, a command ends as it does otherwise', async () => {
  const { code, err } = await run('dev-main.ts', ['migrate', 'bids'])
  expect(code).toBe(1)
  expect(err).toContain('which database? bid or stats')
})
