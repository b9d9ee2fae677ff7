/** `make test-attacks`: what strangers can do to a server, measured beside honest bids. */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import { readAttackOptions, usage } from './attack-options.ts'
import { attackTable, runAttacks } from './run-attacks.ts'

try {
  const options = readAttackOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(usage)
  else {
    const results = await runAttacks(options, progressOnStderr('attacks:'))
    process.stdout.write(`${attackTable(results)}\n`)
    if (results.some(({ shortcomings }) => shortcomings.length > 0)) process.exitCode = 1
  }
} catch (error) {
  process.stderr.write(`attacks: ${messageOf(error)}\n`)
  process.exitCode = 1
}
