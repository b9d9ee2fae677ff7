/** UUIDs are read in either case and kept in lower case. */
export function canonicalId(id: string): string {
  return id.toLowerCase()
}

/** The text of a UUID from its 32 hexadecimal digits. */
export function uuidOf(hex: string): string {
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
