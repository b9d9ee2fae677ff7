/** What a chart shows of the targets of a load: medians over the rounds. */
import type { Bar } from './figure.ts'
import {
  acceptedPerSecond,
  databaseMicros,
  medianOf,
  type Results,
  serverMicros,
} from '../rounds.ts'

const shown: Readonly<Record<string, Pick<Bar, 'label' | 'kind'>>> = {
  lanes: { label: 'Bidmesh', kind: 'ours' },
  plain: { label: 'one transaction per bid', kind: 'other' },
  baseline: { label: 'the same, pipelined', kind: 'other' },
  redis: { label: 'script in Redis, appendfsync always', kind: 'other' },
  floor: { label: 'Postgres alone, in batches', kind: 'other' },
  responder: { label: 'our server', kind: 'decides nothing' },
  library: { label: 'library handler', kind: 'decides nothing' },
  http: { label: 'node:http echo', kind: 'decides nothing' },
}

/** Those that ran, in the order of the list above. */
export function targetBars(results: Results): Bar[] {
  return Object.entries(shown)
    .filter(([name]) => results.has(name))
    .map(([name, target]) => ({
      ...target,
      perSecond: medianOf(results, name, acceptedPerSecond),
      serverMicros: medianOf(results, name, serverMicros),
      databaseMicros: medianOf(results, name, databaseMicros),
    }))
}
