/**
 * How many connections a process takes from outside, always below its descriptors: whatever strangers
 * open, those to the database, the broker and the cache can still be made.
 */
import { openFilesMax } from '../process/open-files.ts'

/** Database pools (20 in standalone), broker, cache, telemetry, files being served, the module loader. */
export const RESERVED_FILES = 200
/** More viewers than a live process takes (25,000) and everybody else; idle, 5 kB each. */
export const MAX_CONNECTIONS_DEFAULT = 32_000

export type ConnectionLimit = { max: number; filesMax: number | undefined }

/** @param asked by the operator; never more than the descriptors allow */
export async function connectionLimit(asked: number | undefined): Promise<ConnectionLimit> {
  const filesMax = await openFilesMax()
  return { max: limitConnections(asked, filesMax), filesMax }
}

export function limitConnections(asked: number | undefined, filesMax: number | undefined): number {
  const wanted = asked ?? MAX_CONNECTIONS_DEFAULT
  if (filesMax === undefined) return wanted
  // A process with next to no descriptors still answers somebody.
  return Math.min(wanted, Math.max(filesMax - RESERVED_FILES, Math.ceil(filesMax / 2)))
}
