/** Errors in words for people. */
import { Code, ConnectError } from '@bidmesh/client'

/** The token is over, and the issuer that could give another one cannot be reached: nothing was sent. */
export class NotRenewedError extends Error {
  override name = 'NotRenewedError'
}

/** A sentence without codes. */
export function wordsFor(error: unknown): string {
  if (error instanceof NotRenewedError) {
    return 'Your sign-in could not be renewed, because the issuer cannot be reached.'
  }
  const { code, rawMessage, metadata } = ConnectError.from(error)
  if (code === Code.Unauthenticated) return 'Sign in to do this.'
  if (code === Code.Unavailable || code === Code.Unknown) return 'The server cannot be reached.'
  // With a time to wait it is about this person, and says so.
  if (code === Code.ResourceExhausted && !metadata.has('retry-after')) {
    return 'The server is very busy. Try again in a moment.'
  }
  return `${rawMessage.charAt(0).toUpperCase()}${rawMessage.slice(1)}.`
}
