/**
 * What long-running set-up says while it works. Any pino logger fits; `progressOnStderr` serves where
 * there is none (test runs, command-line tools), and keeps stdout free for results.
 */

/** The part of a pino logger that set-up code uses. */
export type ProgressLog = {
  info: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
}

/** Plain lines on stderr, `prefix message key=value …`. */
export function progressOnStderr(prefix: string): ProgressLog {
  const write = (fields: object, message: string): void => {
    const details = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`)
    process.stderr.write(`${prefix} ${message}${details.join('')}\n`)
  }
  return { info: write, warn: write }
}
