/**
 * What the image runs: `bidmesh bid`, `bidmesh migrate stats` and so on. It only chooses. Each process is the entry
 * point that runs without the image too, loaded when it is the one that was asked for, and given the arguments
 * that follow its name.
 */
import { constants } from 'node:os'
import { Command } from 'commander'

type Entry = { says: string; load: () => Promise<unknown> }

const services: Record<string, Entry> = {
  bid: {
    says: 'procedures of items and bids',
    load: () => import('@bidmesh/bid/main.ts'),
  },
  auctioneer: {
    says: 'opens and closes items in time',
    load: () => import('@bidmesh/bid/auctioneer-main.ts'),
  },
  'outbox-worker': {
    says: 'takes events from the outbox to the broker',
    load: () => import('@bidmesh/outbox-worker/main.ts'),
  },
  stats: {
    says: 'consumes events, procedures of statistics',
    load: () => import('@bidmesh/stats/main.ts'),
  },
  live: {
    says: 'procedures and streams of viewers',
    load: () => import('@bidmesh/live/main.ts'),
  },
  web: {
    says: "the web app's files",
    load: () => import('@bidmesh/web-server/main.ts'),
  },
  'dev-issuer': {
    says: 'lets anybody in under any name: for development, never in production',
    load: () => import('@bidmesh/dev-issuer/main.ts'),
  },
}

const commands: Record<string, Entry> = {
  'dev-service-token': {
    says: 'keeps a file with a token of the development issuer, beside a service',
    load: () => import('@bidmesh/dev-issuer/service-token-main.ts'),
  },
  migrate: {
    says: 'brings a database up to date (--help: for whom)',
    load: () => import('./migrate-main.ts'),
  },
  rebuild: {
    says: 'recomputes the statistics',
    load: () => import('@bidmesh/stats/rebuild-main.ts'),
  },
  'verify-history': {
    says: 'looks whether the history of items is what was written',
    load: () => import('@bidmesh/bid/verify-history-main.ts'),
  },
}

endOnSignals()
const program = new Command('bidmesh')
  .description('One process of Bidmesh, by its name. What it needs is in the environment.')
  .helpCommand(false)
  .showHelpAfterError('(--help lists the processes)')
program.commandsGroup('Services:')
for (const [name, { says, load }] of Object.entries(services)) {
  program
    .command(name)
    .description(says)
    .action(async () => {
      await load()
    })
}
program.commandsGroup('Commands:')
for (const [name, { says, load }] of Object.entries(commands)) {
  const command = program.command(name).description(says)
  // Its arguments are its own to read, --help included.
  command.helpOption(false).allowUnknownOption().allowExcessArguments()
  command.action(async () => {
    process.argv.splice(2, 1)
    await load()
  })
}
await program.parseAsync()

/**
 * PID 1 of a container is spared what signals do by default: it would have to be killed while it loads, and a
 * command for as long as it runs. A process that ends in order brings a listener of its own.
 */
function endOnSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}
