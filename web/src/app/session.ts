/**
 * Who is signed in at the issuer, and with which token the app calls. Tokens are in memory and in the tab's session
 * storage, in no address and nowhere that outlives the tab. What must stay true: there is one renewal at a time, because a
 * refresh token is good once; and who could not be renewed is still shown as they were, so that what they typed stays.
 */
import type { User, UserManager } from 'oidc-client-ts'
import { NotRenewedError } from './errors.ts'
import type { SignInConfig } from './sign-in-config.ts'
import { type Person, personOf } from './token-claims.ts'

/** Where the issuer sends people back to. */
export const SIGNED_IN_PATH = '/signed-in'
/** So long before its end a token is renewed. */
const RENEW_BEFORE_S = 60
/** A token with less than this left may end on its way. */
const LEAST_S = 2
/** The issuer answers within this, or cannot be reached: a bid waits for 8 s, the call itself included. */
const ISSUER_LIMIT_S = 5

type JwtConfig = Extract<SignInConfig, { mode: 'jwt' }>

export type SessionState = {
  mode: SignInConfig['mode']
  /** Undefined: nobody is signed in. */
  person: Person | undefined
  /** The sign-in is over and could not be renewed: the person has to sign in again. */
  isEnded: boolean
  /** Whether anybody can sign in at all. */
  canSignIn: boolean
  /** What went wrong with the last sign-in or sign-out, in words. */
  problem: string | undefined
}

let state: SessionState = {
  mode: 'trusted',
  person: undefined,
  isEnded: false,
  canSignIn: false,
  problem: undefined,
}
let manager: UserManager | undefined
let user: User | null = null
let rolesClaim = 'roles'
let refusedToken: string | undefined
let renewal: Promise<void> | undefined
const listeners = new Set<() => void>()

function tell(change: Partial<SessionState>): void {
  state = { ...state, ...change }
  for (const listener of listeners) listener()
}

export const session = {
  state: (): SessionState => state,
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
  start,
  token,
  signIn,
  signOut,
  forgetProblem: (): void => tell({ problem: undefined }),
}

/** What a request says of its sender: where tokens do, a stream goes on without one when the sign-in has ended. */
export function statedId(userId: string): string {
  return state.mode === 'jwt' ? '' : userId
}

/** Before the app is shown; comes back from the issuer when that is where the page is. */
async function start(config: SignInConfig): Promise<void> {
  tell({ mode: config.mode })
  if (config.mode === 'jwt' && config.clientId !== undefined) {
    manager = await managerOf(config, config.clientId)
    rolesClaim = config.rolesClaim
    tell({ canSignIn: true })
    manager.events.addAccessTokenExpiring(() => void renew())
    if (window.location.pathname === SIGNED_IN_PATH) await comeBack(manager)
    else take(await manager.getUser())
    if (user?.expired) await renew()
  }
  if (window.location.pathname === SIGNED_IN_PATH) history.replaceState(null, '', '/')
}

/** Loaded by who needs it. */
async function managerOf({ issuer, scope }: JwtConfig, clientId: string): Promise<UserManager> {
  const { UserManager: Manager, WebStorageStateStore } = await import('oidc-client-ts')
  const { origin } = window.location
  return new Manager({
    authority: issuer,
    client_id: clientId,
    scope,
    redirect_uri: origin + SIGNED_IN_PATH,
    post_logout_redirect_uri: `${origin}/`,
    userStore: new WebStorageStateStore({ store: window.sessionStorage }),
    stateStore: new WebStorageStateStore({ store: window.sessionStorage }),
    // By us, one at a time.
    automaticSilentRenew: false,
    accessTokenExpiringNotificationTimeInSeconds: RENEW_BEFORE_S,
    requestTimeoutInSeconds: ISSUER_LIMIT_S,
    silentRequestTimeoutInSeconds: ISSUER_LIMIT_S,
  })
}

async function comeBack(from: UserManager): Promise<void> {
  let path: unknown
  try {
    const signedIn = (await from.signinCallback()) ?? null
    path = signedIn?.state
    take(signedIn)
  } catch (error) {
    console.warn('nobody was signed in', error)
    tell({ problem: 'Signing in did not work. Try again.' })
  }
  // The code that stands in it has been used.
  history.replaceState(null, '', typeof path === 'string' ? path : '/')
}

function take(next: User | null): void {
  user = next
  const person = next ? personOf(next.access_token, rolesClaim, next.profile.sub) : undefined
  tell({ person, isEnded: false })
}

/**
 * What to show the server: undefined for nobody in particular.
 *
 * @param refused what it does not believe any more
 * @throws {@link NotRenewedError} when the token is over and the issuer cannot be asked for another
 */
async function token(refused?: string): Promise<string | undefined> {
  if (!user || state.isEnded) return undefined
  if (refused === user.access_token) refusedToken = refused
  if (isRefused() || (user.expires_in ?? Infinity) < LEAST_S) await renew()
  if (state.isEnded) return undefined
  if (isRefused() || user.expired) throw new NotRenewedError()
  return user.access_token
}

/** By the server, whose clock decides. */
const isRefused = (): boolean => user?.access_token === refusedToken

/** Resolves when there is a new token, or it is known that there is none. */
async function renew(): Promise<void> {
  renewal ??= askForAnother().finally(() => (renewal = undefined))
  await renewal
}

async function askForAnother(): Promise<void> {
  if (!manager || !user || state.isEnded) return
  try {
    take(await manager.signinSilent())
  } catch (error) {
    console.warn('the sign-in could not be renewed', error)
    if (isAway(error)) return
    await manager.removeUser()
    tell({ isEnded: true })
  }
}

/** No answer: the same may work in a moment. What the issuer says, and a lack of refresh tokens, is for good. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isSaid = error.name === 'ErrorResponse'
  return !isSaid && (error instanceof TypeError || error.name === 'ErrorTimeout')
}

/** Goes to the issuer, which sends people back to where they are. */
async function signIn(): Promise<void> {
  tell({ problem: undefined })
  const { pathname, search, hash } = window.location
  try {
    await manager?.signinRedirect({ state: pathname + search + hash })
  } catch (error) {
    console.warn('the issuer cannot be reached', error)
    tell({ problem: 'The sign-in page cannot be reached. Try again in a moment.' })
  }
}

/** Here, and at the issuer, which sends people back to the first page. */
async function signOut(): Promise<void> {
  if (!manager) return
  try {
    await manager.revokeTokens(['refresh_token'])
  } catch (error) {
    console.warn('the refresh token could not be revoked', error)
  }
  // First: without a user no ID token is put into the address.
  await manager.removeUser()
  try {
    await manager.signoutRedirect()
  } catch (error) {
    console.warn('the issuer cannot be reached', error)
    take(null)
    tell({
      problem: 'You are signed out here. The issuer could not be reached, where you may not be.',
    })
  }
}
