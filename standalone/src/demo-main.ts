/**
 * The demo for a deployment that runs somewhere else: puts up the demo items when nothing is open there, and with
 * `--bots` lets bidders loose until Ctrl-C. Through the same procedures as anybody.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { createBots } from './bots.ts'
import { createDemoClient } from './demo-client.ts'
import { putUpDemoItems } from './demo-items.ts'
import { leadToIngress } from '@bidmesh/platform/testing/lead-to-ingress.ts'

const usage = `Usage: npm run demo -- [--url URL] [--bots N]

Puts up the demo items at a deployment where nothing is open; with --bots, N bidders (1–200) bid until Ctrl-C.

  --url URL   of the procedures (default http://api.auction.local)
  --bots N

Where no DNS knows the URL's name, INGRESS_ADDRESS says where it leads, e.g. INGRESS_ADDRESS=127.0.0.1
`

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://api.auction.local' },
    bots: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
})
const count = Number(values.bots)
if (values.help || !(Number.isInteger(count) && count >= 0 && count <= 200)) {
  process.stdout.write(usage)
  process.exit(values.help ? 0 : 1)
}
const { url } = values
leadToIngress(url, process.env['INGRESS_ADDRESS'])
const { bids } = createDemoClient(url)
const items = await putUpDemoItems(bids).catch((error: unknown) => {
  process.stderr.write(`${url} does not take items: ${messageOf(error)}\n\n${usage}`)
  process.exit(1)
})
process.stdout.write(items > 0 ? `${items} items are up\n` : 'something is open already\n')
if (count > 0) {
  const bots = createBots({ count, log: createLog({ name: 'bots', level: 'info' }) })
  bots.begin(createDemoClient(url))
  process.stdout.write(`${count} bots bid at ${url} until Ctrl-C\n`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  await bots.component.stop()
}
