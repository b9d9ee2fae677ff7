/** Programs that a run can do without: what needs one that is not there is left out, and said to be. */
import { findProgramIn, pathFolders } from '@bidmesh/platform/testing/find-program.ts'

/** An ordinary user's PATH may lack the second. */
const places = ['/usr/bin', '/opt/homebrew/bin']

/** Absolute path of a program by the PATH; undefined when this machine has none. */
export async function findProgram(name: string): Promise<string | undefined> {
  return await findProgramIn([...pathFolders(), ...places], name)
}
