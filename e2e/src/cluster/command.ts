/** kubectl, helm and whatever else the cluster tests run. */
import { execFile } from 'node:child_process'
import { repository } from '../repository.ts'

export type CommandOptions = { env?: Readonly<Record<string, string>>; input?: string }

/** helm waits for a whole release, on a machine that may have two cores. */
const limitMs = 20 * 60_000
const outputBytesMax = 16 * 1024 * 1024

/** Standard output of a program that ended well; rejects with what it said otherwise. */
export async function command(
  program: string,
  args: readonly string[],
  { env, input }: CommandOptions = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const options = { cwd: repository, env: { ...process.env, ...env }, timeout: limitMs }
  const child = execFile(
    program,
    args,
    { ...options, maxBuffer: outputBytesMax },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program} ${args.join(' ')}: ${stdout}${stderr || error.message}`))
    },
  )
  child.stdin?.end(input)
  return await promise
}

/** In a namespace. */
export type Kubectl = (...args: string[]) => Promise<string>

export function kubectlIn(namespace: string): Kubectl {
  return async (...args) => await command('kubectl', ['--namespace', namespace, ...args])
}

/** Makes or changes objects, as YAML or JSON. */
export async function apply(namespace: string, ...objects: object[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await command('kubectl', ['--namespace', namespace, 'apply', '--filename', '-'], { input })
}
