import { expect, it } from 'vitest'
import { drawChart } from './chart.ts'
import type { Bar } from './figure.ts'

const bars: Bar[] = [
  { label: 'ours', kind: 'ours', perSecond: 2_000, serverMicros: 100, databaseMicros: 50 },
  { label: 'a < b', kind: 'other', perSecond: 500, serverMicros: 300, databaseMicros: Number.NaN },
]

function widths(svg: string, colour: string): number[] {
  const rectangles = svg.matchAll(/width="([\d.]+)" height="16" fill="(#\w+)"/g)
  return [...rectangles].filter(([, , fill]) => fill === colour).map(([, value]) => Number(value))
}

it('draws bars as long as the figures are large, each panel by itself', () => {
  const panel = { title: 'hot item', bars }
  const small = bars.map((bar) => ({ ...bar, perSecond: bar.perSecond / 10 }))
  const svg = drawChart([panel, { title: 'many items', bars: small }], ['2 cores'])
  const [rate = 0, cost = 0, ...again] = widths(svg, '#0a66c2')
  expect(again).toEqual([rate, cost])
  const [otherRate = 0, otherCost = 0] = widths(svg, '#6b7785')
  expect(rate / otherRate).toBeCloseTo(4, 1)
  expect(otherCost / cost).toBeCloseTo(3, 1)
  // The database's part; none of what has no database.
  const [first = 0, second] = widths(svg, '#e0a030')
  expect(cost / first).toBeCloseTo(2, 1)
  expect(second).toBe(0)
})

it('says what the bars are', () => {
  const svg = drawChart([{ title: 'hot item', bars }], ['2 cores'])
  for (const said of ['hot item', 'ours', 'a &lt; b', '2,000', '150', '2 cores']) {
    expect(svg).toContain(`>${said}</text>`)
  }
})
