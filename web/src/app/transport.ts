/** How the app talks to the services: Bidmesh's client, on the address it came from. */
import { createBidmeshClient } from '@bidmesh/client'
import { session } from './session.ts'

/** Streams are followed by `client`; everything else goes through connect-query, on its transport. */
export const client = createBidmeshClient({
  baseUrl: window.location.origin,
  token: session.token,
})
