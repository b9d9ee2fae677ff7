/**
 * Who calls, as the request says it: in trusted mode it is believed, and with a token it has been filled or compared by
 * `permission.ts` before any handler sees it.
 */
import { Code, ConnectError } from '@connectrpc/connect'

/**
 * The caller's user id. Throws INVALID_ARGUMENT when the request does not say.
 *
 * @param field the request field that names the caller, for the message
 */
export function callerId(claimed: string, field: 'user_id' | 'seller_id'): string {
  if (claimed !== '') return claimed
  throw new ConnectError(
    `${field}: value is required (who calls, in trusted mode)`,
    Code.InvalidArgument,
  )
}
