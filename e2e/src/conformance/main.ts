/**
 * `make test-conformance`: the public suite of Connect's makers against our server, in all protocols that it
 * speaks. What stands in `known-failing.txt` has to fail, and is printed as INFO. Options go to the suite, such
 * as `--run PATTERN` or `--trace`.
 */
import { join } from 'node:path'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { installProgram, moduleFolder, pathOfProgram } from '../../../scripts/go-programs.ts'
import { run } from '../../../scripts/run.ts'

const module = 'connectrpc.com/conformance'
const suite = {
  name: 'connectconformance',
  module: `${module}/cmd/connectconformance`,
  version: 'v1.0.7',
}

const here = import.meta.dirname

try {
  installProgram(suite)
  generate(moduleFolder(`${module}@${suite.version}`))
  run(pathOfProgram(suite), [
    '--mode=server',
    `--conf=${join(here, 'config.yaml')}`,
    `--known-failing=@${join(here, 'known-failing.txt')}`,
    ...process.argv.slice(2),
    '--',
    process.execPath,
    join(here, 'server.ts'),
  ])
} catch (error) {
  process.stderr.write(`conformance: ${messageOf(error)}\n`)
  process.exitCode = 1
}

/** Anew with every run, so that `gen/`, committed for the types, is of the suite's version. */
function generate(folder: string): void {
  const protos = join(folder, 'proto')
  const paths = ['config', 'server_compat', 'service'].map(
    (name) => `--path=${join(protos, 'connectrpc/conformance/v1', name)}.proto`,
  )
  const opt = ['target=ts', 'import_extension=ts', 'erasable_syntax=true']
  const plugins = [{ local: 'protoc-gen-es', out: join(here, 'gen'), opt }]
  const template = JSON.stringify({ version: 'v2', plugins })
  run('buf', ['generate', protos, `--template=${template}`, ...paths])
}
