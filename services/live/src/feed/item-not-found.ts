import { errorInfo } from '@bidmesh/platform/rpc/error-info.ts'
import { Code, ConnectError } from '@connectrpc/connect'

/** As the bid service says it. */
export function itemNotFound(): ConnectError {
  const details = [errorInfo('item_not_found')]
  return new ConnectError('no item has this id', Code.NotFound, undefined, details)
}
