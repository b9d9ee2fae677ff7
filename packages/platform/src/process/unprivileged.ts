/**
 * Runs a program that refuses to be root (Postgres) when we are root, without creating a user. The
 * data directory's owner decides who runs it, so that it stays usable from one run to the next; a new
 * one becomes `nobody`'s, the one unprivileged user every system has (initdb looks its user's name up).
 *
 * Three ways, the first that works: the plain user id; `setpriv` with the right to pass directories that
 * only root may enter (a clone under /root), which a container allows too; `unshare`, where the
 * program is root to the files but not to itself.
 */
import { execFile } from 'node:child_process'
import { lchown, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { StartError } from './start-error.ts'

const run = promisify(execFile)

/** A probe only prints a version; longer than this means the machine is in trouble. */
const probeLimitMs = 10_000

/** How to start the program: put `prefix` before its arguments, pass `identity` to `spawn`. */
export type Account = {
  prefix: readonly string[]
  identity: { uid: number; gid: number } | Record<string, never>
}

/**
 * Picks the account for `program` to work in `directory` (which exists), giving it that directory when it
 * was root's. Throws with what to do when root has no way to run it.
 */
export async function unprivilegedAccount(program: string, directory: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { prefix: [], identity: {} }
  const owner = await stat(directory)
  const { uid, gid } = owner.uid === 0 ? await nobody() : owner
  const failures: string[] = []
  for (const account of candidates(uid, gid)) {
    const fileOwner = account.prefix[0] === 'unshare' ? { uid: 0, gid: 0 } : { uid, gid }
    await giveTree(directory, fileOwner)
    const failure = await probe(account, program, directory)
    if (failure === undefined) return account
    failures.push(failure)
  }
  throw new StartError(
    'Postgres refuses to run as root, and no way to run it as another user works here: ' +
      `${failures.join('; ')}. Run as an ordinary user, install util-linux (setpriv), ` +
      'or move the clone and its data to where other users may enter.',
  )
}

function candidates(uid: number, gid: number): Account[] {
  const plain: Account = { prefix: [], identity: { uid, gid } }
  if (process.platform !== 'linux') return [plain]
  const passDirectories = '-all,+dac_override'
  const setpriv = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    `--inh-caps=${passDirectories}`,
    `--ambient-caps=${passDirectories}`,
    `--bounding-set=${passDirectories}`,
    // Postgres looks at its own binary with access(2), which forgets the capability without this bit.
    '--securebits=+no_setuid_fixup',
  ]
  const unshare = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`]
  return [plain, { prefix: setpriv, identity: {} }, { prefix: unshare, identity: {} }]
}

/** What keeps the account from running the program in the directory, or undefined when nothing does. */
async function probe(
  account: Account,
  program: string,
  directory: string,
): Promise<string | undefined> {
  // `-w` asks access(2), as Postgres does; `cd` needs the way there.
  const script = 'cd "$1" && test -w . && "$2" --version >/dev/null'
  const [file, ...args] = [...account.prefix, 'sh', '-c', script, 'sh', directory, program]
  try {
    await run(file, args, { ...account.identity, cwd: '/', timeout: probeLimitMs })
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)
    return `${account.prefix[0] ?? 'plain user id'}: ${reason}`
  }
}

async function nobody(): Promise<{ uid: number; gid: number }> {
  const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, 'nobody'])))
  const [uid = 65_534, gid = 65_534] = ids.map(({ stdout }) => Number(stdout))
  return { uid, gid }
}

async function giveTree(directory: string, owner: { uid: number; gid: number }): Promise<void> {
  const { uid } = await stat(directory)
  if (uid === owner.uid) return
  const entries = await readdir(directory, { recursive: true })
  // The directory itself last: its owner is what says that the rest is done.
  for (const entry of [...entries, '.']) {
    await lchown(path.join(directory, entry), owner.uid, owner.gid)
  }
}
