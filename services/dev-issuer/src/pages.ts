/** What people see of the development issuer, as HTML. No page needs a script or anything of another address. */
import { users } from './users.ts'

/** What stands in the text of a page, or in a value between double quotes. */
export function escaped(text: string): string {
  const codes: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' }
  return text.replaceAll(/[&<>"]/g, (sign) => `&${codes[sign]};`)
}

export type PageOptions = {
  title: string
  /** Path of the issuer, where its style is. */
  base: string
  /** HTML. */
  body: string
  /** A file of this folder that the page runs. */
  script?: string
}

export function pageOf({ title, base, body, script }: PageOptions): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escaped(title)} · Bidmesh development</title>
    <link rel="stylesheet" href="${base}/style.css">
    ${script === undefined ? '' : `<script src="${base}/${script}" defer></script>`}
  </head>
  <body>
    <main>
      <p class="brand">Bidmesh</p>
      <h1>${escaped(title)}</h1>
      ${body}
      <p class="warning"><strong>For development only.</strong> Anybody gets in under any name, without a password.</p>
    </main>
  </body>
</html>
`
}

/** @param problem with what was typed before, in words */
export function signInBody(action: string, client: string, problem?: string): string {
  const rows = users.map(
    ({ name, roles }) =>
      `<li><button name="user" value="${name}"><b>${name}</b> <span>${roles.join(', ')}</span></button></li>`,
  )
  const told =
    problem === undefined ? '' : `<p class="problem" id="problem">${escaped(problem)}</p>`
  return `<p>Who are you? ${escaped(client)} wants to know.</p>
      <form method="post" action="${escaped(action)}"><ul>${rows.join('')}</ul></form>
      <form method="post" action="${escaped(action)}" class="other">
        <label for="user">Another name</label>
        <input id="user" name="user" maxlength="128" required autocomplete="username" autocapitalize="none"
          spellcheck="false"${problem === undefined ? '' : ' aria-invalid="true" aria-describedby="problem"'}>
        ${told}
        <button class="primary">Sign in</button>
      </form>`
}

export const style = `
:root { color-scheme: light dark; --ground: #f1f3f5; --card: #fff; --ink: #1f2328; --dim: #495057; --line: #ced4da;
  --green: #1f6f5c; --on-green: #fff; --hover: #e8f7f2; --note: #fff3bf; --on-note: #5c3c00; --bad: #c92a2a }
@media (prefers-color-scheme: dark) {
  :root { --ground: #1b1b1b; --card: #242424; --ink: #e6e6e6; --dim: #b8b8b8; --line: #4a4a4a;
    --green: #278064; --on-green: #fff; --hover: #2b4d42; --note: #4d3d0e; --on-note: #ffec99; --bad: #ff8787 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 16px; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system,
  "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 400px; margin: 6vh auto 0; padding: 24px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px }
.brand { margin: 0; font-size: 20px; font-weight: 750; letter-spacing: -.5px }
h1 { margin: 12px 0 4px; font-size: 24px; font-weight: 650; line-height: 1.3 }
p { margin: 0 0 16px; overflow-wrap: anywhere }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px }
button, input { width: 100%; min-height: 44px; padding: 8px 12px; font: inherit; color: inherit; background: none;
  border: 1px solid var(--line); border-radius: 8px; text-align: left }
button { cursor: pointer }
button:hover { background: var(--hover) }
button span { float: right; color: var(--dim) }
button.primary { background: var(--green); border-color: var(--green); color: var(--on-green); text-align: center;
  font-weight: 600; margin-top: 8px }
:focus-visible { outline: 2px solid var(--green); outline-offset: 2px }
.other, .next { margin: 16px 0 }
label { font-weight: 600 }
.problem { margin: 4px 0 0; color: var(--bad) }
.code { font: 600 24px/1.4 ui-monospace, monospace; letter-spacing: 2px }
.warning { margin: 16px 0 0; padding: 8px 12px; border-radius: 8px; background: var(--note); color: var(--on-note);
  font-size: 14px }
`

/** Who is sent here by the app has pressed "Sign out" there: they are not asked again. */
export const signOutScript = `document.querySelector('button.primary').click()\n`
