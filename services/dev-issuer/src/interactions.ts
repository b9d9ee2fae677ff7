/** The pages on which somebody says who they are, and what surrounds every page: headers, style, words for errors. */
import { text } from 'node:stream/consumers'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { escaped, pageOf, signInBody, signOutScript, style } from './pages.ts'
import { isUserName } from './users.ts'

/** A form of one name. */
const FORM_BYTES_MAX = 4_096

type Next = () => Promise<void>
type Context = KoaContextWithOIDC

export type PlaceOptions = {
  /** Path of the issuer. */
  base: string
  /** Where the web app is: forms of ours end there, by way of a redirect. */
  webUrls: readonly string[]
}

/** Strict: nothing but our own style and script, in nobody's frame. */
export function securityHeaders({ webUrls }: PlaceOptions): Record<string, string> {
  return {
    'content-security-policy': [
      "default-src 'none'",
      "style-src 'self'",
      "script-src 'self'",
      `form-action 'self' ${webUrls.join(' ')}`,
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    // With less, a browser sends no origin along with a form, which the port's own gate then takes for a stranger's.
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  }
}

/** Before the issuer's own addresses. */
export function servePages(provider: Provider, place: PlaceOptions) {
  const files = new Map([
    ['/style.css', { type: 'text/css', body: style }],
    ['/sign-out.js', { type: 'text/javascript', body: signOutScript }],
  ])
  return async (ctx: Context, next: Next): Promise<void> => {
    ctx.set(securityHeaders(place))
    const file = files.get(ctx.path)
    if (file) {
      ctx.type = file.type
      ctx.body = file.body
    } else if (ctx.path.startsWith('/interaction/')) await signIn(provider, place, ctx)
    else await next()
  }
}

async function signIn(provider: Provider, { base }: PlaceOptions, ctx: Context): Promise<void> {
  const { uid, params } = await provider.interactionDetails(ctx.req, ctx.res)
  const client = await provider.Client.find(String(params['client_id']))
  const show = (problem?: string): void => {
    const body = signInBody(`${base}/interaction/${uid}`, client?.clientName ?? 'A client', problem)
    ctx.body = pageOf({ title: 'Sign in', base, body })
  }
  if (ctx.method !== 'POST') return show()
  const name = (await formOf(ctx)).get('user')?.trim() ?? ''
  if (!isUserName(name)) {
    ctx.status = 400
    return show('A name has 1 to 128 printable characters.')
  }
  const result = { login: { accountId: name } }
  ctx.status = 303
  ctx.redirect(
    await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }),
  )
}

async function formOf(ctx: Context): Promise<URLSearchParams> {
  const length = Number(ctx.get('content-length') || Infinity)
  // A form of a browser has a length.
  if (!(length <= FORM_BYTES_MAX)) ctx.throw(413, 'this form is too large')
  return new URLSearchParams(await text(ctx.req))
}

/** What oidc-provider asks us to show. */
export function pagesOf(base: string) {
  const show = (ctx: Context, title: string, body: string, script?: string): void => {
    ctx.body = pageOf({ title, base, body, ...(script !== undefined && { script }) })
  }
  return {
    async renderError(
      ctx: Context,
      { error, error_description: words }: ErrorWords,
    ): Promise<void> {
      show(ctx, 'That did not work', `<p>${escaped(words ?? error)}</p>`)
      ctx.type = 'html'
    },
    async logoutSource(ctx: Context, form: string): Promise<void> {
      const button =
        '<button class="primary" form="op.logoutForm" name="logout" value="yes">Sign out</button>'
      // Without the client that it names somebody else's page may have sent them.
      const isAsked = ctx.oidc.entities.Client !== undefined
      show(ctx, 'Sign out', `${form}${button}`, isAsked ? 'sign-out.js' : undefined)
    },
    async postLogoutSuccessSource(ctx: Context): Promise<void> {
      show(ctx, 'You are signed out', '<p>You can close this page.</p>')
    },
    async userCodeInputSource(
      ctx: Context,
      form: string,
      _out?: unknown,
      error?: unknown,
    ): Promise<void> {
      const problem = error === undefined ? '' : '<p class="problem">This code is not valid.</p>'
      // The library's field selects its text by a script within it, which our policy forbids.
      const field = form
        .replace(/ onfocus="[^"]*"/, '')
        .replace('type="text"', 'type="text" id="code"')
      const button = '<button class="primary" form="op.deviceInputForm">Next</button>'
      show(
        ctx,
        'Connect a terminal',
        `<label for="code">Its code</label>${field}${problem}${button}`,
      )
    },
    async userCodeConfirmSource(
      ctx: Context,
      form: string,
      _client: unknown,
      _device: unknown,
      userCode: string,
    ): Promise<void> {
      const button = '<button class="primary" form="op.deviceConfirmForm">Yes, go on</button>'
      const body = `<p>Does the terminal show this code?</p><p class="code">${escaped(userCode)}</p>`
      show(ctx, 'Connect a terminal', `${body}${form}${button}`)
    },
    async successSource(ctx: Context): Promise<void> {
      show(ctx, 'Connected', '<p>The terminal goes on by itself. You can close this page.</p>')
    },
  }
}

type ErrorWords = { error: string; error_description?: string | undefined }
