/** What the structure promises and no type can: who may change items, and what the rules may see. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '../..')

function sources(pattern: string): { file: string; text: string }[] {
  return globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }))
}

it('only a decided batch changes items and adds bids', () => {
  const writers = sources('{services,packages}/*/src/**/*.ts')
    .filter(({ text }) => /UPDATE items|INSERT INTO bids|DELETE FROM (items|bids)/.test(text))
    .map(({ file }) => file)
  expect(writers).toEqual(['services/bid/src/write-batch.ts'])
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
