/** Regenerates `gen/` from `proto/`: `make proto-gen`. */
import { rmSync } from 'node:fs'
import { writeProtoDeps } from './proto-deps.ts'
import { root, run } from './run.ts'

writeProtoDeps()
for (const folder of ['auth', 'bids', 'events', 'google', 'grpc', 'live', 'rules', 'userstats']) {
  rmSync(`${root}/gen/${folder}`, { recursive: true, force: true })
}
run('buf', ['generate'])
