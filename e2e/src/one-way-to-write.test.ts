/** What the structure promises and no type can: who may change items, and what the rules may see. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '../..')

function sources(pattern: string): { file: string; text: string }[] {
  return globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => !file.endsWith('.test.ts') && !path.basename(file).startsWith('test-'))
    .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }))
}

function filesWith(statement: RegExp): string[] {
  return sources('{services,packages}/*/src/**/*.ts')
    .filter(({ text }) => statement.test(text))
    .map(({ file }) => file)
}

it('only a decided batch changes items, and bids are added with their events alone', () => {
  const writers = filesWith(/UPDATE items|DELETE FROM (items|bids)/)
  expect(writers).toEqual(['services/bid/src/write-batch.ts'])
  expect(filesWith(/INSERT INTO bids/)).toEqual(['services/bid/src/append-events.ts'])
})

it('what goes into the outbox goes into the history, where nothing is changed', () => {
  expect(filesWith(/INSERT INTO outbox/)).toEqual(['services/bid/src/append-events.ts'])
  expect(filesWith(/INSERT INTO item_events/)).toEqual(['services/bid/src/append-events.ts'])
  expect(filesWith(/(UPDATE|DELETE FROM) item_events/)).toEqual([])
})

it('the rules import nothing but each other, and read no clock', () => {
  const rules = sources('packages/auction/src/*.ts')
  expect(rules.length).toBeGreaterThan(5)
  for (const { file, text } of rules) {
    const imported = [...text.matchAll(/ from '([^']+)'/g)].map(([, from]) => from)
    expect([file, imported.filter((from) => !from?.startsWith('./'))]).toEqual([file, []])
    expect([file, /Date\.now|new Date|performance|process\./.test(text)]).toEqual([file, false])
  }
})
