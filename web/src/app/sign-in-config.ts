/** What the server says of how people sign in, before anything is shown. */

/** As `services/web/src/sign-in.ts` has it. */
export type SignInConfig =
  | { mode: 'trusted' }
  | { mode: 'jwt'; issuer: string; clientId?: string; scope: string; rolesClaim: string }

/** The page has come from there just now: what is not there will be back. */
const RETRY_MS = 1_000
const LIMIT_MS = 5_000

export async function fetchSignInConfig(): Promise<SignInConfig> {
  for (;;) {
    try {
      const response = await fetch('/config.json', { signal: AbortSignal.timeout(LIMIT_MS) })
      if (response.ok) return await response.json()
      console.warn(`/config.json answers ${response.status}`)
    } catch (error) {
      console.warn('/config.json cannot be had', error)
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
