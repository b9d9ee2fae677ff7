/**
 * What each value of the charts means, as a document: the schema says it, values.yaml has the defaults. A part of the
 * schema that several values share is written out where it comes first; the others point there.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from './run.ts'

export type Schema = {
  $ref?: string
  type?: string | string[]
  description?: string
  enum?: readonly string[]
  minimum?: number
  maximum?: number
  properties?: Record<string, Schema>
  items?: Schema
  $defs?: Record<string, Schema>
}

export const chartValuesFile = 'docs/values.md'

const head = `# Values

Made from the schemas and the defaults of the charts by \`make chart-docs\`. Names with \`[]\` are those of each entry of
a list. What a text may be exactly is in the schema, which refuses everything else.
`

export function chartValues(): string {
  const charts = ['bidmesh', 'infra'].map((chart) => {
    const read = (file: string) => readFileSync(join(root, 'helm', chart, file), 'utf8')
    const schema: Schema = JSON.parse(read('values.schema.json'))
    return `\n## helm/${chart}\n\n${valuesTable(schema, parse(read('values.yaml')))}`
  })
  return head + charts.join('')
}

export function valuesTable(schema: Schema, values: unknown): string {
  const seenAt = new Map<string, string>()
  const lines = [...rowsOf(schema, values, '')].map(
    (cells) => `| ${cells.map(inCell).join(' | ')} |`,
  )
  return ['| value | default | may be | meaning |', '| --- | --- | --- | --- |', ...lines, ''].join(
    '\n',
  )

  function* rowsOf(parent: Schema, value: unknown, path: string): Generator<string[]> {
    for (const [name, each] of Object.entries(parent.properties ?? {})) {
      yield* rowsOfOne(each, at(value, name), path === '' ? name : `${path}.${name}`)
    }
  }

  function* rowsOfOne(each: Schema, value: unknown, path: string): Generator<string[]> {
    const known = { ...definitionOf(each), ...each }
    const { description = '', items } = known
    const sharedIn = seenIn(each, path) ?? (items && seenIn(items, `${path}[]`))
    const like = sharedIn === undefined ? '' : ` As \`${sharedIn}\`.`
    const meaning = description.replaceAll('<', String.raw`\<`) + like
    const isGroup = known.properties !== undefined && like === ''
    yield [code(path), ...(isGroup ? ['', ''] : [defaultOf(value), kindOf(known)]), meaning]
    if (like !== '') return
    yield* rowsOf(known, value, path)
    if (items) yield* rowsOf({ ...definitionOf(items), ...items }, undefined, `${path}[]`)
  }

  /** Where the shared part this refers to is written out, unless that is here. */
  function seenIn({ $ref }: Schema, path: string): string | undefined {
    if ($ref === undefined) return undefined
    const before = seenAt.get($ref)
    if (before === undefined) seenAt.set($ref, path)
    return before
  }

  function definitionOf({ $ref }: Schema): Schema | undefined {
    if ($ref === undefined) return undefined
    const found = schema.$defs?.[$ref.replace('#/$defs/', '')]
    if (!found) throw new Error(`the schema has no ${$ref}`)
    return found
  }
}

function kindOf({ enum: choices, type = [], minimum, maximum }: Schema): string {
  if (choices) return choices.map(defaultOf).join(', ')
  const names: Record<string, string> = { string: 'text', array: 'list', object: 'map' }
  const kind = [type].flat().map((each) => names[each] ?? each)
  if (minimum === undefined) return kind.join(' or ')
  return `${kind.join(' or ')} from ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}`
}

function defaultOf(value: unknown): string {
  if (value === undefined) return ''
  if (value === '') return code("''")
  return code(typeof value === 'string' ? value : JSON.stringify(value))
}

function code(text: string): string {
  return `\`${text}\``
}

function inCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`)
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
