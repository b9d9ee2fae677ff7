/** The programs of these tests. */
import { installProgram, pathOfProgram } from '../../scripts/go-programs.ts'

export { root } from '../../scripts/run.ts'

const programs = {
  helm: { name: 'helm', module: 'helm.sh/helm/v4/cmd/helm', version: 'v4.3.1' },
  kubeconform: {
    name: 'kubeconform',
    module: 'github.com/yannh/kubeconform/cmd/kubeconform',
    version: 'v0.8.0',
  },
} as const

export type Program = keyof typeof programs

/** The program's path; it may not be there yet. */
export function pathOf(program: Program): string {
  return pathOfProgram(programs[program])
}

/** Vitest's global set-up of the project. */
export function setup(): void {
  for (const program of Object.values(programs)) installProgram(program)
}
