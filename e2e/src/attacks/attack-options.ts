/** The command line of `make test-attacks`. */
import { parseArgs } from 'node:util'
import { type Attack } from './attack.ts'
import { attackNamed, attacks } from './catalogue.ts'

export type AttackOptions = {
  attacks: readonly Attack[]
  /** Length of each attack, 1–60. */
  seconds: number
  /** Of the sizes in the descriptions, 0.01–1. */
  scale: number
  /** Little is measured around each attack: enough to see who lives. */
  isShort: boolean
}

const SECONDS_DEFAULT = 6
const SECONDS_MAX = 60

export const usage = `Usage: make test-attacks [ARGS="…"], or node e2e/src/attacks/main.ts [options]

Starts standalone on loopback, attacks it in every known way for a few seconds each while 100 honest bids/s
go on beside, and prints memory and honest latency before, during and after. Linux only (/proc).

  --only LIST    comma-separated names of attacks
  --seconds N    length of each attack, 1–${SECONDS_MAX} (default ${SECONDS_DEFAULT})
  --scale X      of the sizes below, 0.01–1 (default 1)
  --help

Attacks:
${attacks.map(({ name, description }) => `  ${name.padEnd(22)} ${description}`).join('\n')}

Exit code: 0 when the server held every one of them, else 1.
`

/** Throws with the usage when the arguments cannot be understood. */
export function readAttackOptions(args: readonly string[]): AttackOptions | 'help' {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        seconds: { type: 'string' },
        scale: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return 'help'
    return {
      attacks: chosen(values.only),
      seconds: numberOf('--seconds', values.seconds ?? String(SECONDS_DEFAULT), 1, SECONDS_MAX),
      scale: numberOf('--scale', values.scale ?? '1', 0.01, 1),
      isShort: false,
    }
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`, {
      cause: error,
    })
  }
}

function chosen(list: string | undefined): readonly Attack[] {
  if (list === undefined) return attacks
  return list.split(',').map((name) => {
    const attack = attackNamed(name.trim())
    if (attack === undefined) throw new Error(`--only: there is no attack "${name}"`)
    return attack
  })
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`${option}: expected a number from ${least} to ${most}`)
}
