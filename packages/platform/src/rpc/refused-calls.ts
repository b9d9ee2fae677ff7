/** Calls that are refused because of who calls, told to whoever keeps a record of them. */
import { Code, type ConnectError } from '@connectrpc/connect'
import type { RefusedCall } from '../process/component.ts'

export type RefusalsOptions = {
  /** Of the components. */
  onRefused: readonly ((call: RefusedCall) => void)[]
}

/** To be told of every call that has failed; looks at it closer when who calls was the reason. */
export type TellOfRefusals = (reason: ConnectError, look: () => Omit<RefusedCall, 'reason'>) => void

export function tellOfRefusals({ onRefused }: RefusalsOptions): TellOfRefusals {
  return (reason, look) => {
    const { code } = reason
    if (code !== Code.Unauthenticated && code !== Code.PermissionDenied) return
    const call = { ...look(), reason }
    for (const tell of onRefused) tell(call)
  }
}
