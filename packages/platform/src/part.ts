import type { DescService } from '@bufbuild/protobuf'
import type { ConnectRouter, Interceptor } from '@connectrpc/connect'

/**
 * One service as something that runs: its procedures, how ready it is, how it stops. A process serves
 * one part (`services/bid/src/main.ts`) or several (`standalone/src/main.ts`) on one port.
 */
export type Part = {
  /** Short name for logs and `/readyz`, e.g. `bid`. */
  name: string
  /** Descriptors of what `routes` registers, for gRPC health and reflection. */
  services: readonly DescService[]
  routes: (router: ConnectRouter) => void
  /**
   * Around the calls of the whole process, inside the translation of errors and outside validation: check
   * the service of a request before touching it. For what only this part can say about an error.
   */
  interceptors?: readonly Interceptor[]
  /** Resolves when what the part depends on answers; rejects with a reason fit for `/readyz`. */
  check: () => Promise<void>
  /** Called after the server has finished its last request. Finishes work in hand and closes connections. */
  stop: () => Promise<void>
}
