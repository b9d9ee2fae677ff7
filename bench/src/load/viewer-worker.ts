/** The viewers' own process, so that their CPU time and garbage are not the servers'. See viewer-process.ts. */
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { createViewerCrowd } from './viewer-crowd.ts'
import type { ViewerAnswer, ViewerCommand } from './viewer-process.ts'

const [url = '', itemId = ''] = process.argv.slice(2)
const crowd = createViewerCrowd({ url, itemId })

process.on('message', (command: ViewerCommand) => {
  obey(command).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: messageOf(error) } satisfies ViewerAnswer),
  )
})
process.once('disconnect', () => process.exit(0))

async function obey(command: ViewerCommand): Promise<ViewerAnswer> {
  if (command.kind === 'follow') return { report: await crowd.follow(command.sequence) }
  if (command.kind === 'returned') return { back: await crowd.returned() }
  if (command.kind === 'standBy') crowd.standBy(command.url)
  else if (command.kind === 'enter') await crowd.enter(command.count)
  else await crowd.leave()
  return {}
}
