/** Signing in to the web app in a real browser, on a standalone that is its own issuer, with tokens that are soon over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { clientIds } from '@bidmesh/dev-issuer/clients.ts'
import { fetchDevToken } from '@bidmesh/dev-issuer/fetch-token.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type StandaloneProcess, startStandalone } from './standalone-process.ts'
import {
  buildWeb,
  launchBrowser,
  openWindow,
  type Person,
  type PersonOptions,
  setShown,
} from './web-browser.ts'

const TOKEN_SECONDS = 5
/** Until a token of the page is certainly over. */
const OVER_MS = (TOKEN_SECONDS + 1) * 1_000
/** Renewals of such tokens come every second; beside them this page is busy. */
const PAGE_LIMIT_MS = 15_000

let dataDir: string
let standalone: StandaloneProcess
let url: string
let issuer: string
let browser: Browser
const people: Person[] = []

beforeAll(async () => {
  buildWeb()
  dataDir = await mkdtemp(join(tmpdir(), 'bidmesh-sign-in-'))
  const port = await freePort()
  const env = {
    AUTH: 'oidc',
    OIDC_LEEWAY_SECONDS: '0',
    DEV_ISSUER_TOKEN_SECONDS: String(TOKEN_SECONDS),
    LOG_LEVEL: 'error',
  }
  standalone = await startStandalone(dataDir, port, { env })
  url = `http://localhost:${port}`
  issuer = `${url}/oidc`
  browser = await launchBrowser()
})

afterEach(async () => {
  const errors = people.flatMap((person) => person.errors)
  for (const { page } of people.splice(0)) await page.context().close()
  if (errors.length > 0) throw new Error(`scripts of a page failed: ${errors.join(', ')}`)
})

afterAll(async () => {
  await browser?.close()
  await standalone?.end('SIGTERM')
  await rm(dataDir, { recursive: true, force: true })
})

async function visit(address: string, options: PersonOptions = {}): Promise<Page> {
  const person = await openWindow(browser, options)
  people.push(person)
  person.page.setDefaultTimeout(PAGE_LIMIT_MS)
  await person.page.goto(address)
  return person.page
}

/** As curl would, with a token of the user. */
async function callAs<T>(user: string, procedure: string, request: object): Promise<T> {
  const authorization = `Bearer ${await fetchDevToken(issuer, { user })}`
  const response = await fetch(`${url}/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify(request),
  })
  if (!response.ok) throw new Error(await response.text())
  const answer: T = JSON.parse(await response.text())
  return answer
}

async function putItem(): Promise<string> {
  const { item } = await callAs<{ item: { id: string } }>('sam', 'bids.v1.BidService/CreateItem', {
    title: 'Brass telescope',
    startPrice: '1000',
    currency: 'EUR',
    endAt: new Date(Date.now() + 3_600_000).toISOString(),
  })
  return item.id
}

async function bidsOf(itemId: string): Promise<{ amount: string }[]> {
  const asked = { itemId, pageSize: 100 }
  const answer = await callAs<{ bids?: { amount: string }[] }>(
    'sam',
    'bids.v1.BidService/GetItemBids',
    asked,
  )
  return answer.bids ?? []
}

const banner = (page: Page) => page.getByRole('banner')
const nameOf = (page: Page, name: string) =>
  banner(page).getByRole('button', { name: `You are ${name}` })

/** From wherever the page shows the way; ends on the page from which it began. */
async function signIn(page: Page, name: string): Promise<void> {
  await banner(page).getByRole('button', { name: 'Sign in' }).click()
  await chooseUser(page, name)
}

async function chooseUser(page: Page, name: string): Promise<void> {
  await page.getByText('For development only').waitFor()
  await page.getByRole('button', { name: new RegExp(`^${name} `) }).click()
  await nameOf(page, name).waitFor()
}

async function placeBid(page: Page, amount: string): Promise<void> {
  await page.getByLabel('Your bid').fill(amount)
  await page.getByTestId('place-bid').click()
}

async function leads(page: Page): Promise<void> {
  await page.getByTestId('leader').filter({ hasText: 'You lead' }).waitFor()
}

/** Each bid that the page sends: its key, and the status of the answer. */
function watchBids(page: Page) {
  const sent: { key: string; status: number }[] = []
  page.on('response', (response) => {
    if (!response.url().endsWith('/PlaceBid')) return
    const body: { idempotencyKey?: string } = JSON.parse(response.request().postData() ?? '{}')
    sent.push({ key: body.idempotencyKey ?? '', status: response.status() })
  })
  return sent
}

/** The end of the page's token: as a tab of a laptop that was closed, it notices nothing and has no stream. */
async function sleepThrough(page: Page): Promise<void> {
  await page.clock.setFixedTime(new Date())
  await setShown(page, false)
  await page.waitForTimeout(OVER_MS)
}

const tokenLike = /eyJ[\w-]+\.eyJ/

describe('somebody who signs in', () => {
  it('comes back to where they were, bids, and shows their token in no address', async () => {
    const itemId = await putItem()
    const page = await visit(`${url}/items/${itemId}`)
    const addresses: string[] = []
    page.on('request', (request) => addresses.push(request.url()))
    await page.getByText('Sign in to bid').waitFor()
    expect(await page.getByTestId('place-bid').count()).toBe(0)
    await signIn(page, 'cleo')
    expect(page.url()).toBe(`${url}/items/${itemId}`)
    await placeBid(page, '12')
    await leads(page)
    expect(await bidsOf(itemId)).toMatchObject([{ amount: '1200' }])
    expect(addresses.length).toBeGreaterThan(5)
    expect(addresses.filter((address) => tokenLike.test(address))).toEqual([])
    expect(String(await page.evaluate('JSON.stringify(localStorage)'))).not.toMatch(tokenLike)
  })

  it('may have any name, and needs no mouse', async () => {
    const page = await visit(url)
    await banner(page).getByRole('button', { name: 'Sign in' }).press('Enter')
    await page.getByLabel('Another name').fill('Zoë')
    await page.keyboard.press('Enter')
    await nameOf(page, 'Zoë').waitFor()
    await page.reload()
    await nameOf(page, 'Zoë').waitFor()
    expect(page.url()).toBe(`${url}/`)
  })

  it('gets new tokens in time, on a page of another origin than the issuer', async () => {
    const itemId = await putItem()
    const page = await visit(`${standalone.url}/items/${itemId}`)
    expect(new URL(page.url()).origin).not.toBe(new URL(issuer).origin)
    await signIn(page, 'bob')
    const sent = watchBids(page)
    await page.waitForTimeout(OVER_MS)
    await placeBid(page, '15')
    await leads(page)
    expect(sent.map(({ status }) => status)).toEqual([200])
  })

  it('is offered what their roles allow', async () => {
    const itemId = await putItem()
    const ana = await visit(`${url}/items/${itemId}`)
    await signIn(ana, 'ana')
    await ana.getByText('Your account may not bid').waitFor()
    expect(await ana.getByRole('navigation', { name: 'Main' }).innerText()).not.toContain('Sell')
    const olga = await visit(`${url}/items/${itemId}`)
    await signIn(olga, 'olga')
    await olga.getByRole('link', { name: 'Edit' }).click()
    await olga.getByLabel('Title').fill('Brass telescope, mended')
    await olga.getByRole('button', { name: 'Save changes' }).click()
    await olga.getByRole('heading', { name: 'Brass telescope, mended' }).waitFor()
  })

  it('signs out of the issuer as well', async () => {
    const page = await visit(url)
    await signIn(page, 'ann')
    await nameOf(page, 'ann').click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await banner(page).getByRole('button', { name: 'Sign in' }).waitFor()
    expect(page.url()).toBe(`${url}/`)
    // Asked again who they are: the issuer knows them no more.
    await signIn(page, 'bob')
  })
})

describe('a sign-in that ends in the middle of a bid', () => {
  it('is renewed, and the bid that was kept is sent with its key', async () => {
    const itemId = await putItem()
    const page = await visit(`${url}/items/${itemId}`)
    await signIn(page, 'ann')
    await page.getByTestId('viewers').filter({ hasText: '1 watching' }).waitFor()
    await page.getByLabel('Your bid').fill('15')
    await sleepThrough(page)
    expect(await page.getByLabel('Your bid').inputValue()).toBe('15')
    const sent = watchBids(page)
    await page.getByTestId('place-bid').click()
    await leads(page)
    expect(sent.map(({ status }) => status)).toEqual([401, 200])
    expect(sent[0]?.key).not.toBe('')
    expect(sent[1]?.key).toBe(sent[0]?.key)
    expect(await bidsOf(itemId)).toMatchObject([{ amount: '1500' }])
    await setShown(page, true)
    await callAs('bob', 'bids.v1.BidService/PlaceBid', { itemId, amount: 1_700 })
    await page.getByTestId('price').filter({ hasText: '€17.00' }).waitFor()
  })

  it('and cannot be renewed asks for another, and the bid is in the form', async () => {
    const itemId = await putItem()
    const page = await visit(`${url}/items/${itemId}`)
    await signIn(page, 'ann')
    const other = await page.context().newPage()
    await other.goto(`${issuer}/session/end`)
    await other.getByRole('button', { name: 'Sign out' }).click()
    await other.getByText('You are signed out').waitFor()
    await page.getByText('Your sign-in has ended').waitFor()
    const sent = watchBids(page)
    await placeBid(page, '13.50')
    const notice = page.getByTestId('bid-notice')
    await notice.filter({ hasText: 'your bid of €13.50 was not placed' }).waitFor()
    await notice.getByRole('button', { name: 'Sign in' }).click()
    await chooseUser(page, 'ann')
    expect(await page.getByLabel('Your bid').inputValue()).toBe('13.50')
    expect(await bidsOf(itemId)).toEqual([])
    await page.getByTestId('place-bid').click()
    await leads(page)
    expect(sent.map(({ status }) => status)).toEqual([401, 200])
  })

  it('while the issuer is away keeps the bid, which can be sent when it is back', async () => {
    const itemId = await putItem()
    const page = await visit(`${url}/items/${itemId}`)
    await signIn(page, 'ann')
    await page.route('**/oidc/token', async (route) => await route.abort())
    await page.waitForTimeout(OVER_MS)
    await placeBid(page, '14')
    const notice = page.getByTestId('bid-notice')
    await notice.filter({ hasText: 'issuer cannot be reached' }).waitFor()
    await page.unroute('**/oidc/token')
    await notice.getByRole('button', { name: 'Try again' }).click()
    await leads(page)
    expect(await bidsOf(itemId)).toMatchObject([{ amount: '1400' }])
  })
})

describe('a stream', () => {
  it('goes on when the token is over with which it began', async () => {
    const itemId = await putItem()
    const page = await visit(`${url}/items/${itemId}`)
    await signIn(page, 'ann')
    await page.getByTestId('viewers').filter({ hasText: '1 watching' }).waitFor()
    const begun: (string | undefined)[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/WatchItem')) begun.push(request.headers()['authorization'])
    })
    await page.waitForTimeout(2 * OVER_MS)
    await callAs('bob', 'bids.v1.BidService/PlaceBid', { itemId, amount: 1_300 })
    await page.getByTestId('price').filter({ hasText: '€13.00' }).waitFor()
    expect(begun.length).toBeGreaterThan(0)
    expect(new Set(begun).size).toBe(begun.length)
    expect(begun).not.toContain(undefined)
  })
})

describe('a terminal', () => {
  it('is connected by its code', async () => {
    const ask = async (path: string, fields: Record<string, string>) => {
      const body = new URLSearchParams({ client_id: clientIds.device, ...fields })
      const response = await fetch(`${issuer}${path}`, { method: 'POST', body })
      const answer: Record<string, string> = JSON.parse(await response.text())
      return answer
    }
    const device = await ask('/device/auth', { scope: 'openid' })
    const page = await visit(device['verification_uri_complete'] ?? '')
    await page.getByText(device['user_code'] ?? '-').waitFor()
    await page.getByRole('button', { name: 'Yes, go on' }).click()
    await page.getByRole('button', { name: /^cleo / }).click()
    await page.getByText('The terminal goes on by itself').waitFor()
    const grant = 'urn:ietf:params:oauth:grant-type:device_code'
    const granted = { grant_type: grant, device_code: device['device_code'] ?? '' }
    const { access_token: token = '' } = await ask('/token', granted)
    const response = await fetch(`${url}/live.v1.LiveService/IssueStreamTicket`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: '{}',
    })
    expect(response.status).toBe(200)
  })
})

describe.each(['light', 'dark'] as const)('accessibility, %s', (colorScheme) => {
  const look = { colorScheme, width: colorScheme === 'dark' ? 390 : 1_280 }

  async function seriousFaults(page: Page) {
    const { violations } = await new AxeBuilder({ page }).analyze()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])
  }

  it.each(['/my', '/sell', '/items/:id'])('axe finds nothing serious on %s', async (path) => {
    const page = await visit(url + path.replace(':id', await putItem()), look)
    await page
      .getByText(/^Sign in to/)
      .first()
      .waitFor()
    expect(await seriousFaults(page)).toEqual([])
  })

  it('nor on the pages of the issuer', async () => {
    const page = await visit(url, look)
    await banner(page).getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('For development only').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.goto(`${issuer}/device`)
    await page.getByLabel('Its code').fill('NOPE-NOPE')
    await page.getByRole('button', { name: 'Next' }).click()
    await page.getByText('This code is not valid').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await eventually(async () => expect(await page.title()).toContain('Bidmesh development'))
  })
})
