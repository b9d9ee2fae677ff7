/** How the app talks to the services: generated clients over Connect, on the address it came from. */
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'

export const transport = createConnectTransport({ baseUrl: window.location.origin })

/** For streams; everything else goes through connect-query. */
export const live = createClient(LiveService, transport)
