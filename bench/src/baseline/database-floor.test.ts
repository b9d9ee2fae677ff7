import { expect, it } from 'vitest'
import { readPgbench } from './database-floor.ts'

it('reads how many calls pgbench made, and how long they took', () => {
  const said = `pgbench (15.20, server 18.4)
transaction type: -
number of transactions actually processed: 500
number of failed transactions: 0 (0.000%)
latency average = 4.000 ms
initial connection time = 5.000 ms
tps = 250.000000 (without initial connection time)
`
  expect(readPgbench(said)).toEqual({ calls: 500, tookMs: 2_000 })
  expect(readPgbench('pgbench: error: connection failed')).toBeUndefined()
})
