/** Values as a contract: the schema closes every object and explains every value, and the defaults are all of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { root } from './tools.ts'

type Schema = {
  $ref?: string
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  $defs?: Record<string, Schema>
}

describe.each(['bidmesh', 'infra'])('%s', (chart) => {
  const read = (file: string) => readFileSync(join(root, 'helm', chart, file), 'utf8')
  const schema: Schema = JSON.parse(read('values.schema.json'))
  const values: Record<string, unknown> = parse(read('values.yaml'))
  const all = [...walk(schema, '', schema)]

  it('closes every object but those of maps', () => {
    const open = all.filter(
      ([path, each]) =>
        each.type === 'object' && each.additionalProperties === undefined && path !== '/global',
    )
    expect(open.map(([path]) => path)).toEqual([])
  })

  it('explains every value', () => {
    const mute = all.filter(
      ([path, each]) => path !== '' && !path.endsWith('[]') && !each.description,
    )
    expect(mute.map(([path]) => path)).toEqual([])
  })

  it('has a default for every value that is not one of many', () => {
    const known = new Set(all.map(([path]) => path))
    for (const path of pathsOf(values, '')) expect([...known]).toContain(path)
    const missing = all
      .map(([path]) => path)
      .filter((path) => !/\[\]|^\/global|^\/services\/[^/]+\/|^$/.test(path))
      .filter((path) => at(values, path) === undefined)
    // Of resources what is not bounded is not named.
    expect(missing.filter((path) => !path.includes('/resources/'))).toEqual([])
  })
})

/** Every schema by the path of its value; references followed. */
function* walk(schema: Schema, path: string, top: Schema): Generator<[string, Schema]> {
  const { $ref } = schema
  const target = $ref ? top.$defs?.[$ref.replace('#/$defs/', '')] : schema
  if (!target) throw new Error(`nothing at ${$ref}`)
  yield [path, { ...target, ...schema }]
  for (const [name, each] of Object.entries(target.properties ?? {})) {
    yield* walk(each, `${path}/${name}`, top)
  }
  if (target.items) yield* walk(target.items, `${path}[]`, top)
}

/** Paths of all objects in values that are not maps of strings or lists. */
function* pathsOf(values: Record<string, unknown>, path: string): Generator<string> {
  for (const [name, value] of Object.entries(values)) {
    if (/^[A-Z]/.test(name) || path.endsWith('/settings')) continue
    yield `${path}/${name}`
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      yield* pathsOf(Object.fromEntries(Object.entries(value)), `${path}/${name}`)
    }
  }
}

function at(values: unknown, path: string): unknown {
  return path
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined,
      values,
    )
}
