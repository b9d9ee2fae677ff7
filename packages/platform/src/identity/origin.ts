/**
 * Where a request came from, as the audit log has it beside who made it. Said by the client, but for the address: good for finding what
 * belongs together, no proof of anything.
 */
import { randomUUID } from 'node:crypto'
import { createContextKey } from '@connectrpc/connect'
import { clientAddress } from './client-address.ts'
import type { HttpRequest } from '../server/http-handler.ts'

export type Origin = {
  /** See client-address.ts; empty: not over a network. */
  readonly address: string
  /** The beginning of it; empty: none was sent. */
  readonly userAgent: string
  /** From `x-request-id`, as ingresses send it, or drawn; empty: nobody's request. */
  readonly requestId: string
}

/** Those of browsers have some 120 characters. */
const USER_AGENT_CHARACTERS_MAX = 256

/** What a service does by itself. */
export const noOrigin: Origin = { address: '', userAgent: '', requestId: '' }

export const originKey = createContextKey<Origin>(noOrigin, { description: 'origin' })

export function originOf(request: HttpRequest): Origin {
  const { headers } = request
  const said = headers['x-request-id']
  return {
    address: clientAddress(request),
    userAgent: printable(headers['user-agent'] ?? '').slice(0, USER_AGENT_CHARACTERS_MAX),
    requestId: typeof said === 'string' && isRequestId.test(said) ? said : randomUUID(),
  }
}

const isRequestId = /^[\x21-\x7e]{1,128}$/

/** Headers may hold any byte but the end of a line. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
