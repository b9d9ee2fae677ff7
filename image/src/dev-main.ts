/**
 * `main.ts` for development: runs it with our arguments, and anew whenever a source changes that it has loaded, or any
 * when it has ended by itself; a command ends us with it. Not `node --watch`: that loses sight of a file once another has
 * taken its place, which is how files get into a running container. What it uses to learn of loaded files serves here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, watch } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Several files that change together are one change. */
const QUIET_MS = 100

/** Whoever started one waits for its end, and may try again. */
const commands = new Set(['migrate', 'rebuild'])

const root = join(import.meta.dirname, '../..')
const folders = ['packages/*/src', 'services/*/src', 'image/src', 'gen/**/v*']

/** Paths of the sources that the process has loaded: six of them start anew on one machine otherwise. */
const loaded = new Set<string>()
let child = start()
/** The one restart under way: what changes meanwhile is in what it starts. */
let restarting: Promise<void> | undefined
let quiet: NodeJS.Timeout | undefined
let stopping = false

for (const folder of globSync(folders, { cwd: root })) {
  watch(join(root, folder), (_event, name) => {
    if (!name?.endsWith('.ts')) return
    if (isRunning() && !loaded.has(join(root, folder, name))) return
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
  const started = spawn(process.execPath, [main, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, WATCH_REPORT_DEPENDENCIES: '1' },
  })
  started.on('message', (report: { 'watch:import'?: readonly string[] }) => {
    for (const url of report['watch:import'] ?? [])
      if (url.startsWith('file:')) loaded.add(fileURLToPath(url))
  })
  if (commands.has(args[0] ?? '')) started.once('exit', (code) => process.exit(code ?? 1))
  return started
}

async function restart(name: string): Promise<void> {
  process.stdout.write(`${name} has changed: starting anew\n`)
  await end()
  restarting = undefined
  if (!stopping) child = start()
}

function isRunning(): boolean {
  return child.exitCode === null && child.signalCode === null
}

async function end(): Promise<void> {
  if (!isRunning()) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}
