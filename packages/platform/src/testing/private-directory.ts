/**
 * A temporary directory for servers of our own, that does not outlive us: a small shell waits for the
 * end of a pipe we hold, which comes when we close it and equally when we are killed, Ctrl-C'd or crash.
 * Then it ends every server named in the directory and removes it. It runs in a session of its own, so that
 * the Ctrl-C that ends us does not end it.
 */
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/**
 * Each `<name>.reap` says which signal ends whom; whoever is still there after 5 s (50 × 0.1 s) is killed.
 * Plain POSIX shell: dash, for one, does not know `kill -0 --`.
 */
const script = `
trap '' INT TERM HUP
read -r _
each() { for file in "$dir"/*.reap; do [ -e "$file" ] && read -r signal target <"$file" && "$@"; done; }
end() { kill -s "$signal" -- "$target"; }
look() { kill -s 0 -- "$target" && alive=1; }
end_hard() { kill -s KILL -- "$target"; }
dir=$1
each end
tries=0
while [ "$tries" -lt 50 ]; do
  alive=
  each look
  [ -z "$alive" ] && break
  tries=$((tries + 1))
  sleep 0.1
done
each end_hard
rm -rf "$dir"
`

export type PrivateDirectory = {
  readonly path: string
  /** Ends this process with us; a group by its negative id. A later call with the name replaces it. */
  reap: (name: string, target: number, signal: 'KILL' | 'QUIT') => Promise<void>
  /** The process is gone: its number may become another's. */
  forget: (name: string) => Promise<void>
  /** Ends what is named and removes the directory. */
  remove: () => Promise<void>
}

export async function createPrivateDirectory(): Promise<PrivateDirectory> {
  const directory = await mkdtemp(path.join(tmpdir(), 'bidmesh-'))
  // Postgres may run as another user than we do: it has to get in, not to look around.
  await chmod(directory, 0o711)
  const reaper = spawn('sh', ['-c', script, 'sh', directory], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<undefined>()
  reaper.once('error', reject)
  reaper.once('exit', () => resolve(undefined))
  reaper.unref()
  const file = (name: string): string => path.join(directory, `${name}.reap`)
  return {
    path: directory,
    reap: async (name, target, signal) => {
      await writeFile(file(name), `${signal} ${target}\n`)
    },
    forget: async (name) => {
      await rm(file(name), { force: true })
    },
    remove: async () => {
      reaper.ref()
      reaper.stdin.end()
      await ended
    },
  }
}
