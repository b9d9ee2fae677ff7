/** The figures of loads as a picture: bids per second and what each costs, a bar for every target. Plain SVG. */
import { type Bar, formatNumber } from './figure.ts'

export type Panel = { title: string; bars: readonly Bar[] }

/** Pixels. */
const width = 960
const rowHeight = 26
const barHeight = 16
const margin = 24
const titleHeight = 44
/** Left edges; what is right of a bar is for its figure. */
const rates = { left: 270, width: 250 }
const costs = { left: 620, width: 230 }

const colours = { ours: '#0a66c2', other: '#6b7785', 'decides nothing': '#b9c1ca' } as const
const databaseColour = '#e0a030'

/**
 * @param notes below the panels, a line each
 */
export function drawChart(panels: readonly Panel[], notes: readonly string[]): string {
  const parts: string[] = []
  let top = margin
  for (const panel of panels) {
    parts.push(drawPanel(panel, top))
    top += titleHeight + panel.bars.length * rowHeight + margin
  }
  const lines = [
    'Pale: answers a constant and decides nothing. CPU: of the server, and in yellow of its database.',
    ...notes,
  ]
  for (const line of lines) {
    parts.push(text(margin, top, line, 'class="note"'))
    top += 18
  }
  const style =
    'text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1c2128 } ' +
    '.title { font-size: 15px; font-weight: bold } .ours { font-weight: bold } .note { font-size: 12px; fill: #57606a }'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}">`,
    `<style>${style}</style>`,
    `<rect width="${width}" height="${top}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function drawPanel({ title, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ perSecond }) => perSecond))
  const dearest = Math.max(...bars.map(costOf))
  const heads = [
    text(margin, top + 14, title, 'class="title"'),
    text(rates.left, top + 34, 'accepted bids/s', 'class="note"'),
    text(costs.left, top + 34, 'CPU µs per accepted bid', 'class="note"'),
  ]
  const rows = bars.flatMap((bar, index) => {
    const y = top + titleHeight + index * rowHeight
    const rate = (bar.perSecond / most) * rates.width
    const server = (known(bar.serverMicros) / dearest) * costs.width
    const database = (known(bar.databaseMicros) / dearest) * costs.width
    const cost = costOf(bar) > 0 ? formatNumber(costOf(bar)) : 'n/a'
    const emphasis = bar.kind === 'ours' ? 'class="ours"' : ''
    return [
      text(rates.left - 10, y + 13, bar.label, `text-anchor="end" ${emphasis}`),
      rectangle(rates.left, y, rate, colours[bar.kind]),
      text(rates.left + rate + 6, y + 13, formatNumber(bar.perSecond), emphasis),
      rectangle(costs.left, y, server, colours[bar.kind]),
      rectangle(costs.left + server, y, database, databaseColour),
      text(costs.left + server + database + 6, y + 13, cost, emphasis),
    ]
  })
  return [...heads, ...rows].join('\n')
}

function costOf(bar: Bar): number {
  return known(bar.serverMicros) + known(bar.databaseMicros)
}

function known(micros: number): number {
  return Number.isNaN(micros) ? 0 : micros
}

function rectangle(x: number, y: number, barWidth: number, fill: string): string {
  return `<rect x="${x.toFixed(1)}" y="${y}" width="${barWidth.toFixed(1)}" height="${barHeight}" fill="${fill}"/>`
}

function text(x: number, y: number, said: string, attributes: string): string {
  const escaped = said.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped}</text>`
}
