/** UUIDs are read in either case and kept in lower case. */
export function canonicalId(id: string): string {
  return id.toLowerCase()
}
