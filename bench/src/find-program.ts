/** Programs that a run can do without: what needs one that is not there is left out, and said to be. */
import { access, constants } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'

/** An ordinary user's PATH may lack the second. */
const places = ['/usr/bin', '/opt/homebrew/bin']

/** Absolute path of a program by the PATH; undefined when this machine has none. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute), ...places]
  for (const folder of folders) {
    const file = join(folder, name)
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return undefined
}
