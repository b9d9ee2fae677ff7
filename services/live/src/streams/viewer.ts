/**
 * What a room knows of those who watch it. A viewer takes what it can and never makes the sender wait: one
 * that reads too slowly is behind until it has read what it was sent, then gets the latest state in place of
 * what it missed; one that stays behind for too long is dropped.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import type { Burst } from './frame.ts'

/** A reader that has taken nothing for so long is frozen or gone. */
export const BEHIND_LIMIT_MS = 30_000

/**
 * Every message tells the time: who was sent one so recently is not told it again. With a turn each 8 s nobody is
 * without for more than the 10 s that are promised. Of a crowd that sees a bid a second, clocks were a ninth of all writes.
 */
export const TOLD_RECENTLY_MS = 1_500

/** Where a viewer's stream comes from. */
export type Source = {
  /** The state now, in place of whatever was missed. */
  latest: () => Burst
  /** The time now. */
  clock: () => Burst
}

export type Viewer = {
  /** '' for nobody in particular. */
  readonly userId: string
  /** How much more work it is to send to it than to write to a socket. */
  readonly units: number
  /** Sends what of it was not seen yet. */
  send: (burst: Burst) => void
  /** Called every few seconds: sends the time to who has not heard it lately, or drops a viewer that is behind for too long. */
  tick: (nowMs: number) => void
  /** Ends the stream with a reason fit for its reader. */
  end: (reason: ConnectError) => void
}

/** Number of the last frame that a viewer has seen before it was sent any. */
export const NOTHING_SEEN = -1

/** Called once the viewer may come in; what it is sent first follows at once. */
export type OpenViewer = (source: Source) => Viewer

/** Counted by whoever wires it to metrics. */
export type ViewerEvents = {
  fellBehind: () => void
  dropped: () => void
}

/** As `send`; a message that cannot be written, whatever is in it, ends this stream and nothing else. */
export function sendTo(viewer: Viewer, burst: Burst): void {
  try {
    viewer.send(burst)
  } catch {
    viewer.end(new ConnectError('this item cannot be shown', Code.Internal))
  }
}
