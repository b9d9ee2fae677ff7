/**
 * Who may call what, read from the descriptors (`auth/v1/permission.proto`) and enforced by whoever answers: the unary
 * responder, the interceptor of what the library answers, and live's own streams. A method that does not say who may
 * call it never gets as far as being served. Of a bid this costs two comparisons.
 */
import {
  type DescField,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'
import {
  Callers,
  CallersSchema,
  Limit,
  LimitSchema,
  permission,
  Role,
} from '@bidmesh/gen/auth/v1/permission_pb.ts'
import type { ConnectError } from '@connectrpc/connect'
import { StartError } from '../process/start-error.ts'
import { internalOnly, otherUser, roleMissing, tokenMissing } from './identity-errors.ts'
import { hasRole, type Principal } from './principal.ts'

/** A method says nothing, or nothing usable, about who may call it. */
export class PermissionError extends StartError {
  override name = 'PermissionError'
}

export type Permit = {
  /** What a call counts as, where calls are limited. */
  limit: Limit
  /** Why this caller gets no answer whatever they ask; undefined: they may. Needs nothing but the headers. */
  refusal: (principal: Principal) => ConnectError | undefined
  /**
   * Puts the caller's id where the request leaves it out. Throws when it says somebody else's. To be called before the
   * request is held against its rules, one of which may be that the id is there.
   */
  bind: (principal: Principal, request: Message) => void
}

/** What surrounds a service of others, whose files cannot say who may call: anybody, and a token is not even looked at. */
export const forAnybody: Permit = {
  limit: Limit.NONE,
  refusal: () => undefined,
  bind: () => undefined,
}

/** Throws {@link PermissionError} that names every method of these services which does not say who may call it. */
export function requirePermissions(services: readonly DescService[]): void {
  const faults = services.flatMap(({ methods }) =>
    methods.flatMap((method) => faultOf(method) ?? []),
  )
  if (faults.length === 0) return
  throw new PermissionError(
    `who may call, and how often, is not said:\n${faults.map((line) => `  ${line}`).join('\n')}`,
  )
}

function faultOf(method: DescMethod): string | undefined {
  const fault = wrongWith(method)
  return fault && `${method.parent.typeName}/${method.name}: ${fault}`
}

function wrongWith(method: DescMethod): string | undefined {
  if (!hasOption(method, permission)) return 'has no option (auth.v1.permission)'
  const { callers, roles, callerField, limit } = getOption(method, permission)
  const isKnown = callers !== Callers.UNSPECIFIED && CallersSchema.value[callers] !== undefined
  if (!isKnown) return 'callers is not set'
  if (limit === Limit.UNSPECIFIED || !LimitSchema.value[limit]) return 'limit is not set'
  if (callers === Callers.ROLES && roles.length === 0) return 'CALLERS_ROLES needs roles'
  const isOwners = callers === Callers.OWNER || callers === Callers.ITEM_OWNER
  if (isOwners && callerField === '') return 'owners need a caller_field'
  if (callerField === '') return undefined
  if (method.methodKind !== 'unary' && method.methodKind !== 'server_streaming')
    return 'a caller_field needs a single request'
  return callerFieldOf(method) ? undefined : `${callerField} is no string of its request`
}

function callerFieldOf(method: DescMethod): DescField | undefined {
  const { callerField } = getOption(method, permission)
  const field = method.input.fields.find(({ name }) => name === callerField)
  const isText = field?.fieldKind === 'scalar' && field.scalar === ScalarType.STRING
  return isText ? field : undefined
}

const permits = new Map<DescMethod, Permit>()

/** Throws {@link PermissionError} when the method does not say who may call it. */
export function permitOf(method: DescMethod): Permit {
  let permit = permits.get(method)
  if (!permit) permits.set(method, (permit = createPermit(method)))
  return permit
}

function createPermit(method: DescMethod): Permit {
  const fault = faultOf(method)
  if (fault !== undefined)
    throw new PermissionError(`who may call, and how often, is not said: ${fault}`)
  const { callers, roles, limit } = getOption(method, permission)
  const mayNameOthers = callers === Callers.OWNER ? roles : []
  const field = callerFieldOf(method)

  return {
    limit,
    refusal(principal) {
      if (principal.kind === 'trusted') return undefined
      if (principal.kind === 'refused') return principal.reason
      if (callers === Callers.PUBLIC) return undefined
      if (principal.kind === 'anonymous') return tokenMissing()
      if (callers === Callers.INTERNAL)
        return hasRole(principal, [Role.SERVICE]) ? undefined : internalOnly()
      if (callers === Callers.ROLES && !hasRole(principal, roles)) return roleMissing(roles)
      return undefined
    },
    bind(principal, request) {
      if (principal.kind === 'trusted' || !field) return
      const named: unknown = Reflect.get(request, field.localName) ?? ''
      if (principal.kind === 'identified') {
        if (named === '') Reflect.set(request, field.localName, principal.subject)
        else if (named !== principal.subject && !hasRole(principal, mayNameOthers))
          throw otherUser(field.name)
        // Nobody in particular may ask what is for everybody, and may not say that they are somebody.
      } else if (named !== '') throw tokenMissing()
    },
  }
}
