/** What an attack is. Each has a file of its own here and a line in `catalogue.ts`. */
import { once } from 'node:events'

export type AttackContext = {
  /** Of the server under attack, `http://127.0.0.1:port`. */
  url: string
  host: string
  port: number
  /** Open items that honest bidders bid on meanwhile. */
  itemIds: readonly string[]
  /** 1 is the size the description names; a short run takes less of it (0–1). */
  scale: number
  /** Aborts when the attack's time is over. What is still open then is closed with the process. */
  signal: AbortSignal
}

export type Attack = {
  /** Kebab-case, as `--only` takes it. */
  name: string
  /** One line for `--help`: what is done at full size. */
  description: string
  /**
   * Runs in a process of its own. Attacks until the signal aborts and returns what it did, with numbers:
   * an attack that never took place must be seen in the table.
   */
  run: (context: AttackContext) => Promise<string>
}

/** The part of `full` that this run does, at least one. */
export function scaled(full: number, { scale }: AttackContext): number {
  return Math.max(1, Math.round(full * scale))
}

/** Holds what has been built up until the time is over. */
export async function untilOver({ signal }: AttackContext): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** Does `step` again and again until the time is over, letting the loop turn in between. */
export async function repeat(
  context: AttackContext,
  step: () => void | Promise<void>,
): Promise<void> {
  while (!context.signal.aborted) {
    await step()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
