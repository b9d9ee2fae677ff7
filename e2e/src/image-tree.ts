/**
 * What the Dockerfile puts together for production, put together without Docker: its stages' COPY lines, less what
 * .dockerignore keeps out, and its npm commands. So a workspace it forgets to copy, or a dependency that is only
 * there for development, is missing here too.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { basename, join, matchesGlob } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './repository.ts'

const run = promisify(execFile)

/** Those that lead to the processes; the web app is built in another. */
const stages = new Set(['manifests', 'app'])

/** Fills the folder, which is empty. */
export async function buildImageTree(tree: string): Promise<void> {
  const ignored = await ignoredNames()
  for (const instruction of await instructions()) {
    const [what, ...words] = instruction.split(/\s+/)
    if (what === 'COPY' && !words[0]?.startsWith('--')) {
      const to = words.pop() ?? ''
      for (const from of words) await copy(from, to, ignored, tree)
    } else if (what === 'RUN' && words[0] === 'npm') {
      const env = { ...process.env, npm_config_prefer_offline: 'true' }
      await run('sh', ['-c', instruction.slice('RUN '.length)], { cwd: tree, env })
    }
  }
}

async function instructions(): Promise<string[]> {
  const dockerfile = await readFile(join(repository, 'Dockerfile'), 'utf8')
  const lines = dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
  let stage: string | undefined
  return lines.filter((line) => {
    if (line.startsWith('FROM ')) stage = / AS (\w+)$/.exec(line)?.[1]
    return stage !== undefined && stages.has(stage)
  })
}

async function copy(from: string, to: string, ignored: string[], tree: string): Promise<void> {
  const target = join(tree, to.endsWith('/') ? join(to, basename(from)) : to)
  await mkdir(join(target, '..'), { recursive: true })
  const filter = (file: string) => !ignored.some((pattern) => matchesGlob(basename(file), pattern))
  await cp(join(repository, from), target, { recursive: true, filter })
}

/** Of names at any depth, such as the tests'. */
async function ignoredNames(): Promise<string[]> {
  const text = await readFile(join(repository, '.dockerignore'), 'utf8')
  return text.split('\n').flatMap((line) => (line.startsWith('**/') ? [line.slice(3)] : []))
}
