/** How many files a process may open, by Linux's /proc: each viewer is a connection, at both of its ends. */
import { openFilesMax } from '@bidmesh/platform/process/open-files.ts'

/** Beside the viewers: modules, database, broker, cache. */
const OTHER_FILES = 200

/** Throws, with what to do, when so many viewers do not fit into one process. Node has raised its limit already. */
export async function expectOpenFiles(viewers: number): Promise<void> {
  refuseTooMany(viewers, await openFilesMax())
}

export function refuseTooMany(viewers: number, filesMax: number | undefined): void {
  const needed = viewers + OTHER_FILES
  if (filesMax === undefined || filesMax >= needed) return
  throw new Error(
    `${viewers} viewers need ${needed} open files in a process, and ${filesMax} are allowed here: ` +
      `raise the limit (ulimit -n ${needed}), or ask for fewer with --viewers`,
  )
}
