/**
 * Work done once for all who ask at about the same time: one run is under way, and whoever asks meanwhile
 * shares the next. So what came of it is never older than the question.
 */
export function createShared(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  function start(): Promise<void> {
    running = work().finally(() => (running = undefined))
    return running
  }

  async function startAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined)
    next = undefined
    await start()
  }

  return () => {
    if (!running) return start()
    next ??= startAfter(running)
    return next
  }
}
