/** A crowd of viewers in a process of its own. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { DeliveryReport } from './delivery-book.ts'
import type { Return, ViewerCrowd } from './viewer-crowd.ts'

export type ViewerCommand =
  | { kind: 'enter'; count: number }
  | { kind: 'follow'; sequence: number }
  | { kind: 'standBy'; url: string }
  | { kind: 'returned' }
  | { kind: 'leave' }

export type ViewerAnswer = { report?: DeliveryReport; back?: Return; error?: string }

/** One call at a time. Calls reject when the process dies. */
export type ViewerProcess = Omit<ViewerCrowd, 'standBy'> & {
  pid: number
  standBy: (url: string) => Promise<void>
}

/** Starts a crowd without viewers; `cleanup` takes over its ending. */
export function startViewerProcess(
  cleanup: AsyncDisposableStack,
  { url, itemId }: { url: string; itemId: string },
): ViewerProcess {
  const child = fork(fileURLToPath(import.meta.resolve('./viewer-worker.ts')), [url, itemId])
  const { pid } = child
  if (pid === undefined) throw new Error('the process of the viewers could not be started')
  const exited = once(child, 'exit')
  cleanup.defer(async () => {
    child.kill()
    await exited
  })

  async function ask(command: ViewerCommand): Promise<ViewerAnswer> {
    const { promise: answered, resolve } = Promise.withResolvers<ViewerAnswer>()
    child.once('message', resolve)
    child.send(command)
    const died = exited.then((): ViewerAnswer => ({ error: 'their process ended' }))
    const answer = await Promise.race([answered, died])
    if (answer.error !== undefined) throw new Error(`viewers: ${answer.error}`)
    return answer
  }

  return {
    pid,
    enter: async (count) => void (await ask({ kind: 'enter', count })),
    async follow(sequence) {
      const { report } = await ask({ kind: 'follow', sequence })
      if (report === undefined) throw new Error('viewers: no report')
      return report
    },
    standBy: async (to) => void (await ask({ kind: 'standBy', url: to })),
    async returned() {
      const { back } = await ask({ kind: 'returned' })
      if (back === undefined) throw new Error('viewers: no report')
      return back
    },
    leave: async () => void (await ask({ kind: 'leave' })),
  }
}
