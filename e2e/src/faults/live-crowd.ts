/** Thousands of viewers in a process of their own, and what they have seen by now. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type ViewerSpec = {
  itemId: string
  /** '' for nobody in particular. */
  userId: string
  /** Index of the process to begin with. */
  home: number
  /** Comes and goes with the other guests; the others stay for ever. */
  guest: boolean
}

export type CrowdSpec = {
  /** Live processes. */
  urls: readonly string[]
  viewers: readonly ViewerSpec[]
}

/** Of those who are there. */
export type ItemReport = {
  /** Viewers by where they are: `sequence/version`, or `not connected`. */
  positions: Record<string, number>
  /** Viewers by how many viewers they were last told there are. */
  viewerCounts: Record<string, number>
  /** Viewers whose latest state came as a snapshot, without a bid by itself since. */
  bySnapshot: number
}

export type CrowdReport = {
  /** Viewers by index of the process they are connected to, or `none`. */
  servers: Record<string, number>
  items: Record<string, ItemReport>
  /** The first few things that no fault excuses, since the crowd was gathered. */
  complaints: readonly string[]
}

export type Ask =
  | { kind: 'gather'; spec: CrowdSpec }
  | { kind: 'report' | 'all move' | 'all go home' | 'guests leave' | 'guests come' }

/** Who is there of one item. */
export type Audience = {
  itemId: string
  viewers: number
  /** Further streams of one user do not count. */
  distinct: number
}

/** One call at a time; each resolves when viewers have begun to do what they were asked. */
export type LiveCrowd = {
  report: () => Promise<CrowdReport>
  /** Sends every viewer from the process it is connected to, or tries, to the next. */
  swap: () => Promise<CrowdReport>
  /** Sends viewers that have fled to another process back to their first. */
  goHome: () => Promise<CrowdReport>
  /** The guests come, or leave again. */
  turnGuests: () => Promise<CrowdReport>
  /** Who is to be there now. */
  present: () => readonly ViewerSpec[]
  stop: () => Promise<void>
}

/** All but the guests come. */
export async function gatherViewers(spec: CrowdSpec): Promise<LiveCrowd> {
  const child = fork(fileURLToPath(import.meta.resolve('./live-crowd-process.ts')))
  const exited = once(child, 'exit')
  const residents = spec.viewers.filter(({ guest }) => !guest)
  let guestsAway = true
  const ask = async (question: Ask): Promise<CrowdReport> => {
    const { promise: answer, resolve } = Promise.withResolvers<CrowdReport>()
    child.once('message', resolve)
    child.send(question)
    const died = exited.then((): never => {
      throw new Error('the process of the viewers has ended')
    })
    return await Promise.race([answer, died])
  }
  await ask({ kind: 'gather', spec })
  return {
    report: () => ask({ kind: 'report' }),
    swap: () => ask({ kind: 'all move' }),
    goHome: () => ask({ kind: 'all go home' }),
    turnGuests: () => {
      guestsAway = !guestsAway
      return ask({ kind: guestsAway ? 'guests leave' : 'guests come' })
    },
    present: () => (guestsAway ? residents : spec.viewers),
    stop: async () => {
      child.kill()
      await exited
    },
  }
}

/** By item, in the order of their first viewers. */
export function audiencesOf(viewers: readonly ViewerSpec[]): Audience[] {
  const byItem = Map.groupBy(viewers, ({ itemId }) => itemId)
  return [...byItem].map(([itemId, watching]) => {
    const named = watching.filter(({ userId }) => userId !== '').map(({ userId }) => userId)
    const distinct = watching.length - named.length + new Set(named).size
    return { itemId, viewers: watching.length, distinct }
  })
}
