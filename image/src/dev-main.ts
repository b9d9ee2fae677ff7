/**
 * `main.ts` for development: runs it with our arguments, and anew whenever a source changes, also a service that has
 * ended by itself; a command ends us with it. Not `node --watch`: that loses sight of a file once another has taken its place, which is how files get
 * into a running container.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, watch } from 'node:fs'
import { join } from 'node:path'

/** Several files that change together are one change. */
const QUIET_MS = 100

/** Whoever started one waits for its end, and may try again. */
const commands = new Set(['migrate', 'rebuild'])

const root = join(import.meta.dirname, '../..')
const folders = ['packages/*/src', 'services/*/src', 'image/src', 'gen/**/v*']

let child = start()
/** The one restart under way: what changes meanwhile is in what it starts. */
let restarting: Promise<void> | undefined
let quiet: NodeJS.Timeout | undefined
let stopping = false

for (const folder of globSync(folders, { cwd: root })) {
  watch(join(root, folder), (_event, name) => {
    if (!name?.endsWith('.ts')) return
    clearTimeout(quiet)
    quiet = setTimeout(() => {
      restarting ??= restart(name)
    }, QUIET_MS)
  })
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    stopping = true
    void end().then(() => process.exit(child.exitCode ?? 1))
  })
}

function start(): ChildProcess {
  const args = process.argv.slice(2)
  const main = join(import.meta.dirname, 'main.ts')
  const started = spawn(process.execPath, [main, ...args], { stdio: 'inherit' })
  if (commands.has(args[0] ?? '')) started.once('exit', (code) => process.exit(code ?? 1))
  return started
}

async function restart(name: string): Promise<void> {
  process.stdout.write(`${name} has changed: starting anew\n`)
  await end()
  restarting = undefined
  if (!stopping) child = start()
}

async function end(): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}
