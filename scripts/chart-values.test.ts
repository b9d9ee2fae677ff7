import { expect, it } from 'vitest'
import { type Schema, valuesTable } from './chart-values.ts'

const schema: Schema = {
  properties: {
    mode: { enum: ['', 'fast'], description: 'Has to be chosen.' },
    first: { $ref: '#/$defs/pod', description: 'Of <one> a|b.' },
    second: { $ref: '#/$defs/pod', description: 'The other.' },
    peers: { type: 'array', description: 'Who.', items: { $ref: '#/$defs/peer' } },
    strangers: { type: 'array', description: 'Who not.', items: { $ref: '#/$defs/peer' } },
  },
  $defs: {
    pod: {
      type: 'object',
      properties: {
        replicas: { type: 'integer', minimum: 0, maximum: 9, description: 'Pods.' },
        cpu: { type: ['string', 'integer'], description: 'Cores.' },
      },
    },
    peer: { type: 'object', properties: { cidr: { type: 'string', description: 'Network.' } } },
  },
}

it('has a row for each value, and writes out once what several share', () => {
  const values = { mode: '', first: { replicas: 2 }, second: { replicas: 3 }, peers: [] }
  expect(valuesTable(schema, values).split('\n').slice(2)).toEqual([
    "| `mode` | `''` | `''`, `fast` | Has to be chosen. |",
    String.raw`| ${'`first`'} |  |  | Of \<one> a\|b. |`,
    '| `first.replicas` | `2` | integer from 0 to 9 | Pods. |',
    '| `first.cpu` |  | text or integer | Cores. |',
    '| `second` | `{"replicas":3}` | map | The other. As `first`. |',
    '| `peers` | `[]` | list | Who. |',
    '| `peers[].cidr` |  | text | Network. |',
    '| `strangers` |  | list | Who not. As `peers[]`. |',
    '',
  ])
})

it('does not pass over what the schema refers to and has not', () => {
  const broken: Schema = { properties: { it: { $ref: '#/$defs/gone' } } }
  expect(() => valuesTable(broken, {})).toThrow('#/$defs/gone')
})
