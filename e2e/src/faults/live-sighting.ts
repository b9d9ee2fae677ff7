/**
 * What a stream may tell a viewer after what it has told before, over all connections of that viewer: no
 * step back, no bid left out unless a snapshot stands for it, and no new version but by a change. Pure.
 */

/** Changes rise the version by one each; the others tell nothing new about the item. */
const changes = ['bidPlaced', 'opened', 'ended', 'cancelled'] as const
const others = ['endMoved', 'clock', 'viewerCount', 'chatMessage'] as const

type Kind = 'snapshot' | (typeof changes)[number] | (typeof others)[number]

const isChange: ReadonlySet<string> = new Set(changes)
const kinds: readonly Kind[] = ['snapshot', ...changes, ...others]

/** One message of a stream, as far as it is looked at. */
export type Told = {
  kind: Kind
  sequence: number
  version: number
  /** Of a snapshot and of a viewer count. */
  viewers: number | undefined
}

/** What a viewer knows. */
export type Sighting = {
  sequence: number
  version: number
  viewers: number | undefined
  /** The latest state came as a snapshot, and no bid has come by itself since. */
  bySnapshot: boolean
}

type Message = {
  sequence: string
  version: string
  snapshot?: { item: { sequence: string; version: string }; viewerCount: string }
  bidPlaced?: { bid: { sequence: string } }
  viewerCount?: { viewers: string }
}

/** Reads the JSON of a `WatchItemResponse`. Throws when it is none, or says two things about one fact. */
export function readTold(json: string): Told {
  const message: Message = JSON.parse(json)
  const { sequence, version, snapshot, bidPlaced, viewerCount } = message
  const kind = kinds.find((each) => each in message)
  if (kind === undefined) throw new Error(`a message of no kind: ${json}`)
  const inner = snapshot?.item.sequence ?? bidPlaced?.bid.sequence ?? sequence
  if (inner !== sequence || (snapshot?.item.version ?? version) !== version) {
    throw new Error(`a message that contradicts itself: ${json}`)
  }
  const viewers = snapshot?.viewerCount ?? viewerCount?.viewers
  return {
    kind,
    sequence: Number(sequence),
    version: Number(version),
    viewers: viewers === undefined ? undefined : Number(viewers),
  }
}

/** What is wrong with being told this now; undefined when nothing is. */
export function complaintAbout(seen: Sighting | undefined, told: Told): string | undefined {
  if (told.kind === 'snapshot' && seen === undefined) return undefined
  if (seen === undefined) return `begins with ${told.kind}`
  const step = `${told.kind} ${seen.sequence}/${seen.version} → ${told.sequence}/${told.version}`
  if (told.sequence < seen.sequence || told.version < seen.version) return `a step back: ${step}`
  if (told.kind === 'snapshot') return undefined
  const bids = told.kind === 'bidPlaced' ? 1 : 0
  const versions = isChange.has(told.kind) ? 1 : 0
  const follows = told.sequence === seen.sequence + bids && told.version === seen.version + versions
  return follows ? undefined : `a gap: ${step}`
}

export function sightingAfter(seen: Sighting | undefined, told: Told): Sighting {
  const { kind, sequence, version, viewers } = told
  const bySnapshot = kind === 'snapshot' || (kind !== 'bidPlaced' && (seen?.bySnapshot ?? false))
  return { sequence, version, viewers: viewers ?? seen?.viewers, bySnapshot }
}
