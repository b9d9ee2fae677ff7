/**
 * Follows a stream for as long as somebody looks at it, and says how it fares. Out of sight it is let go of, and opened
 * again when the tab is shown.
 */
import { ConnectError, type WatchOptions } from '@bidmesh/client'
import { onTabAway, tabShown } from './tab-visibility.ts'

/** `connecting`: never been live yet. `lost`: was live, being opened again. `failed`: given up, see the error. */
export type Connection = 'connecting' | 'live' | 'lost' | 'failed'

/** An answer that takes longer leaves something old on the page long enough to say so. */
const LATE_MS = 1_000

export type FollowOptions<Message> = {
  watch: (options: WatchOptions) => AsyncIterable<Message>
  onMessage: (message: Message) => void
  onConnection: (connection: Connection, error?: ConnectError) => void
}

/** Begins to follow; call what it returns to stop. */
export function followStream<Message>(options: FollowOptions<Message>): () => void {
  const stop = new AbortController()
  void follow(options, stop.signal)
  return () => stop.abort()
}

async function follow<Message>(
  { watch, onMessage, onConnection }: FollowOptions<Message>,
  signal: AbortSignal,
): Promise<void> {
  let wasLive = false
  let late: number | undefined
  const tellLost = (): void => onConnection(wasLive ? 'lost' : 'connecting')
  const given = async (stop: AbortSignal): Promise<void> => {
    clearTimeout(late)
    await tabShown(stop)
    late = window.setTimeout(tellLost, LATE_MS)
  }
  const messages = watch({
    signal,
    attention: { given, onLost: onTabAway },
    onConnection: (connection) => connection === 'lost' && tellLost(),
  })
  try {
    for await (const message of messages) {
      clearTimeout(late)
      wasLive = true
      onMessage(message)
      onConnection('live')
    }
  } catch (error) {
    onConnection('failed', ConnectError.from(error))
  } finally {
    clearTimeout(late)
  }
}
