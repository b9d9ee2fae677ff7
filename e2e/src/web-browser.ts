/** For tests: a real browser, and people who each have a window of their own on the web app. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import bundled from '@sparticuz/chromium'
import { type Browser, chromium, type Page } from 'playwright-core'
import { repository } from './repository.ts'

/** Where other systems have one; on Linux (x64) npm brings it along. */
const installed = [
  process.env['CHROME_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

export async function launchBrowser(): Promise<Browser> {
  const isBundled = process.platform === 'linux' && process.arch === 'x64'
  const found = installed.find((path) => path !== '' && existsSync(path))
  const executablePath = isBundled ? await bundled.executablePath() : found
  if (executablePath === undefined) {
    throw new Error('these tests need a browser: install Chromium or Chrome, or set CHROME_PATH')
  }
  // Made for functions that are frozen after each call: a browser of several windows wants its processes.
  const args = bundled.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote')
  return await chromium.launch({ executablePath, args: isBundled ? args : ['--no-sandbox'] })
}

/** The app, as everybody builds it: the test's own environment is for tests. */
export function buildWeb(): void {
  const build = ['run', '--silent', 'build', '-w', 'web', '--', '--logLevel', 'warn']
  const env = { ...process.env, NODE_ENV: 'production' }
  execFileSync('npm', build, { cwd: repository, stdio: 'inherit', env })
}

export type Person = { page: Page; errors: string[] }

export type PersonOptions = {
  userId?: string
  colorScheme?: 'light' | 'dark'
  width?: number
}

/** A window of somebody who has chosen a name. What goes wrong in its scripts is kept in `errors`. */
export async function openWindow(
  browser: Browser,
  { userId = 'ann', colorScheme = 'light', width = 1_280 }: PersonOptions = {},
): Promise<Person> {
  const viewport = { width, height: 900 }
  const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB' })
  await context.addInitScript((name) => localStorage.setItem('bidmesh.user', name), userId)
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  return { page, errors }
}

/** As if another tab were in front: no page of a browser without a screen is ever hidden. */
export async function setShown(page: Page, isShown: boolean): Promise<void> {
  // As text: the types of these tests know no browser.
  await page.evaluate(`
    for (const [name, value] of [['hidden', ${!isShown}], ['visibilityState', '${isShown ? 'visible' : 'hidden'}']])
      Object.defineProperty(document, name, { configurable: true, get: () => value })
    document.dispatchEvent(new Event('visibilitychange'))`)
}
