/** Where a program is. */
import { access, constants } from 'node:fs/promises'
import path from 'node:path'

/** Absolute folders of the PATH, in order. */
export function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter).filter(path.isAbsolute)
}

/** The first program of that name that may be run; undefined when there is none. */
export async function findProgramIn(
  folders: readonly string[],
  name: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const file = path.join(folder, name)
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return undefined
}
