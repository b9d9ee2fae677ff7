/**
 * A new idempotency key: the same request under the same key takes effect once, however often it is sent.
 * `randomUUID` is there only on pages that came safely, and over plain http we must do without.
 */
export function newKey(): string {
  const words = crypto.getRandomValues(new Uint32Array(4))
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('')
}
