/** Runs loads in a process of their own, one at a time. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LoadOptions, LoadResult } from './load-generator.ts'

export type LoadProcess = {
  /** Runs one load to its end. Rejects when the process dies or the load cannot run. */
  run: (options: LoadOptions) => Promise<LoadResult>
  stop: () => Promise<void>
}

type Answer = { result?: LoadResult; error?: string }

export function startLoadProcess(): LoadProcess {
  const child = fork(fileURLToPath(import.meta.resolve('./load-worker.ts')), {
    // Ledgers hold bigints, and are large.
    serialization: 'advanced',
  })
  const exited = once(child, 'exit')
  return {
    async run(options) {
      const { promise: answer, resolve } = Promise.withResolvers<Answer>()
      child.once('message', resolve)
      child.send(options)
      const died = exited.then((): Answer => ({ error: 'the load process ended' }))
      const { result, error } = await Promise.race([answer, died])
      if (result === undefined) throw new Error(`load failed: ${error ?? 'no result'}`)
      return result
    },
    async stop() {
      child.kill()
      await exited
    },
  }
}
