/** The bidders' own process, so that their CPU time and garbage are not the servers'. See load-process.ts. */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { type LoadOptions, runLoad } from './load-generator.ts'

process.on('message', (options: LoadOptions) => {
  runLoad(options).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: messageOf(error) }),
  )
})
process.once('disconnect', () => process.exit(0))
