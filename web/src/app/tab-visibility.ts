/**
 * Whether anybody can see this tab. Over HTTP/1.1 a browser has six connections to a server for all tabs
 * together, and a stream holds one of them: tabs in the background let go of theirs, or the seventh tab
 * could not even bid.
 */

/** Looking away for a moment, or going through tabs, opens no stream anew. */
const AWAY_MS = 3_000

/** Resolves as soon as the tab can be seen, or when `stop` aborts. */
export function tabShown(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      if (document.hidden && !stop.aborted) return
      document.removeEventListener('visibilitychange', end)
      stop.removeEventListener('abort', end)
      resolve()
    }
    document.addEventListener('visibilitychange', end)
    stop.addEventListener('abort', end)
    end()
  })
}

/** Calls `away` once the tab has been out of sight for a while; call what it returns to stop watching. */
export function onTabAway(away: () => void): () => void {
  let timer: number | undefined
  const look = (): void => {
    clearTimeout(timer)
    timer = document.hidden ? window.setTimeout(away, AWAY_MS) : undefined
  }
  document.addEventListener('visibilitychange', look)
  look()
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
}
