/**
 * Registers procedures one by one, each with what its request message asks for: how its JSON is read and how
 * large it may be, unless the component says that. Components register whole services and need not know.
 */
import type { DescMethod, DescMethodUnary, Registry } from '@bufbuild/protobuf'
import type { ConnectRouter, MethodImpl } from '@connectrpc/connect'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Permit } from '../identity/permission.ts'
import { messageLimitBytes } from './message-size.ts'
import { strictTextDecoder } from './strict-json.ts'
import type { UnaryProcedure } from './unary-responder.ts'

const utf8 = new TextEncoder()

/** A line of its own in a terminal. */
const lineEncoder = { encode: (text = '') => utf8.encode(`${text}\n`) }

/**
 * A misspelt field is a mistake to hear of, not to ignore. Binary messages keep unknown fields. Zeros are
 * written out: a person with curl need not know which fields were left out.
 */
const jsonOptions = {
  ignoreUnknownFields: false,
  alwaysEmitImplicit: true,
  textEncoder: lineEncoder,
} as const

export type StrictRouterOptions = {
  /** Messages that an `Any` may hold. */
  registry: Registry
  /** Who may call; throws for a method that does not say so. */
  permitFor: (method: DescMethod) => Permit
  /** Gets the unary procedures as well, for the responder that answers them. */
  addUnary: (procedure: UnaryProcedure) => void
}

/** @param router gets the procedures of what components register here */
export function strictRouter(
  router: ConnectRouter,
  { registry, permitFor, addUnary }: StrictRouterOptions,
): ConnectRouter {
  const strict: ConnectRouter = {
    handlers: router.handlers,
    rpc(method, implementation, options) {
      const permit = permitFor(method)
      // A variable, because the option's type does not know of `textDecoder`, which the library reads.
      const textDecoder = strictTextDecoder(method.input)
      const strictJson = { ...jsonOptions, registry, textDecoder }
      const readMaxBytes = options?.readMaxBytes ?? messageLimitBytes(method.input)
      if (isUnary(method)) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the method is unary, and so is what implements it
        const unary = implementation as MethodImpl<DescMethodUnary>
        const json = { ...jsonOptions, registry }
        const limitBytes = readMaxBytes
        addUnary({ method, permit, implementation: unary, limitBytes, jsonOptions: json })
      }
      router.rpc(method, implementation, { ...options, jsonOptions: strictJson, readMaxBytes })
      return strict
    },
    service(service, implementation, options) {
      for (const method of service.methods) {
        strict.rpc(method, implementationOf(method, implementation), options)
      }
      return strict
    },
  }
  return strict
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === 'unary'
}

/** As the library does it: what a service leaves out is unimplemented. */
function implementationOf(method: DescMethod, service: object): MethodImpl<DescMethod> {
  const found: unknown = Reflect.get(service, method.localName)
  const implementation =
    typeof found === 'function' ? found.bind(service) : () => unimplemented(method)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the component's type was checked for its service
  return implementation as MethodImpl<DescMethod>
}

function unimplemented({ name }: DescMethod): never {
  throw new ConnectError(`${name} is not implemented`, Code.Unimplemented)
}
