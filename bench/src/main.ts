/** `make bench`: everything measured side by side in one run, one table at the end. */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { readBenchOptions, usage } from './bench-options.ts'
import { runBench } from './run-bench.ts'

try {
  const options = readBenchOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(usage)
  else process.exitCode = (await runBench(options)) ? 0 : 1
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`)
  process.exitCode = 1
}
