/** Who may ask for tokens, and how. Secrets are written here, because they are none: see the README. */
import type { ClientMetadata } from 'oidc-provider'

/** Whom tokens are for. */
export const audience = 'bidmesh'

export const clientIds = {
  /** The web app: authorization code with PKCE, and refresh tokens that are good once. */
  web: 'bidmesh-web',
  /** Terminals: device code. */
  device: 'bidmesh-device',
  /** Scripts: client credentials, as any user. */
  scripts: 'bidmesh-scripts',
  /** Services: client credentials, with the role `service`. */
  service: 'bidmesh-service',
} as const

/** Of both clients that have one. */
export const clientSecret = 'development'

export function clientsOf(webUrls: readonly string[]): ClientMetadata[] {
  return [
    {
      client_id: clientIds.web,
      client_name: 'Bidmesh',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: webUrls.map((url) => `${url}/signed-in`),
      post_logout_redirect_uris: webUrls.map((url) => `${url}/`),
    },
    {
      client_id: clientIds.device,
      client_name: 'a terminal',
      token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      redirect_uris: [],
      response_types: [],
    },
    ...[clientIds.scripts, clientIds.service].map((id): ClientMetadata => ({
      client_id: id,
      client_secret: clientSecret,
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
  ]
}
