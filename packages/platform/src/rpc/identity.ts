/**
 * Who calls. In trusted mode the request says so and is believed: for one machine, tests and clusters
 * whose gateway has checked already.
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
