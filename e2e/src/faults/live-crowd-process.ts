/**
 * The viewers' own process: what they do must not slow down the bids, which the test times in its own. See
 * live-crowd.ts.
 */
import type { Ask, CrowdReport, CrowdSpec } from './live-crowd.ts'
import { readTold, type Told } from './live-sighting.ts'
import { Viewer } from './live-viewer.ts'

/** Kept and shown: the first few say what is wrong, a thousand say no more. */
const complaintsKept = 20
/** Texts remembered: viewers of one item are told the same within milliseconds. */
const textsKept = 500

const viewers: Viewer[] = []
const guests: Viewer[] = []
const complaints: string[] = []
const known = new Map<string, Told>()

/** Reads each text once, whoever of a thousand is told it. */
function read(json: string): Told {
  const told = known.get(json) ?? readTold(json)
  if (known.size >= textsKept) known.clear()
  known.set(json, told)
  return told
}

function gather({ urls, viewers: specs }: CrowdSpec): void {
  for (const [index, { guest, ...spec }] of specs.entries()) {
    const complain = (complaint: string): void => {
      if (complaints.length < complaintsKept) complaints.push(`viewer ${index}: ${complaint}`)
    }
    const viewer = new Viewer({ ...spec, urls, read, complain })
    viewers.push(viewer)
    if (guest) guests.push(viewer)
    else viewer.come()
  }
}

function report(): CrowdReport {
  const servers: CrowdReport['servers'] = {}
  const items: CrowdReport['items'] = {}
  for (const { itemId, server, present, connected, sighting } of viewers) {
    if (!present) continue
    const item = (items[itemId] ??= { positions: {}, viewerCounts: {}, bySnapshot: 0 })
    const position =
      connected && sighting ? `${sighting.sequence}/${sighting.version}` : 'not connected'
    count(item.positions, position)
    count(item.viewerCounts, sighting?.viewers ?? 'unknown')
    if (sighting?.bySnapshot ?? true) item.bySnapshot += 1
    count(servers, connected ? server : 'none')
  }
  return { servers, items, complaints }
}

function count(counts: Record<string | number, number>, key: string | number): void {
  counts[key] = (counts[key] ?? 0) + 1
}

const answers: Record<Exclude<Ask['kind'], 'gather'>, () => void> = {
  report: () => undefined,
  'all move': () => viewers.forEach((viewer) => viewer.move()),
  'all go home': () => viewers.forEach((viewer) => viewer.goHome()),
  'guests leave': () => guests.forEach((guest) => guest.leave()),
  'guests come': () => guests.forEach((guest) => guest.come()),
}

process.on('message', (ask: Ask) => {
  if (ask.kind === 'gather') gather(ask.spec)
  else answers[ask.kind]()
  process.send?.(report())
})
process.once('disconnect', () => process.exit(0))
