/** How many files a process may open, by Linux's /proc: every connection is one of them. */
import { readFile } from 'node:fs/promises'

/** The soft limit of this process; undefined where it is unknown or there is none. Node has raised it already. */
export async function openFilesMax(): Promise<number | undefined> {
  return readOpenFilesMax(await readFile('/proc/self/limits', 'latin1').catch(() => ''))
}

export function readOpenFilesMax(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}
