/** `npm run verify-history`: whether the history of items is what was written. */
import { parseArgs } from 'node:util'
import { ConfigError } from '@bidmesh/platform/process/config.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { connectPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { readVerifyConfig } from './config.ts'
import { verifyHistory, type VerifyOptions } from './verify-history.ts'

const HELP = `Verifies the history of items: that no event was changed, taken out or moved since it was recorded.

  npm run verify-history --silent -- --all         (in the image: verify-history --all)
  npm run verify-history --silent -- --item ID

  --all              every item
  --item ID          this one
  --kept-since TIME  what was recorded before was dropped on purpose (RFC 3339): chains of items made before
                     then may begin with any version
  --help

  DATABASE_URL       the bid database, only read: bidding may go on

A line for each finding: "broken" is not what was recorded; a "gap" was made by a version of the software that
kept no history, and is no fault. Exit code: 0, or 1 when something is broken or could not be read.
`

const options = {
  all: { type: 'boolean' },
  item: { type: 'string' },
  'kept-since': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

class UsageError extends Error {}

try {
  process.exitCode = await main()
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof ConfigError
  process.stderr.write(`${messageOf(error)}\n${isUsage ? `\n${HELP}` : ''}`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { help, wanted } = readArguments()
  if (help) {
    process.stdout.write(HELP)
    return 0
  }
  const { DATABASE_URL } = readVerifyConfig()
  const sql = connectPostgres(DATABASE_URL, { max: 2, applicationName: 'bidmesh verify' })
  try {
    let checked = { items: 0, events: 0 }
    let broken = 0
    const onProgress = (read: typeof checked) => (checked = read)
    for await (const found of verifyHistory(sql, { ...wanted, onProgress })) {
      if (found.kind === 'broken') broken += 1
      process.stdout.write(`${found.kind}: item ${found.itemId}: ${found.message}\n`)
    }
    if (wanted.itemId !== undefined && checked.items === 0) throw new Error('no item has this id')
    const { items, events } = checked
    process.stdout.write(`read: ${items} items, ${events} events; broken: ${broken}\n`)
    return broken > 0 ? 1 : 0
  } finally {
    await sql.end()
  }
}

function readArguments(): { help: boolean; wanted: VerifyOptions } {
  const { all, item, help = false, 'kept-since': since } = parsedArguments()
  if (help) return { help, wanted: {} }
  if ((all === true) === (item !== undefined))
    throw new UsageError('which items? --all or --item ID')
  if (item !== undefined && !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(item)) {
    throw new UsageError(`--item: ${item} is not the id of an item, a UUID`)
  }
  const keptSince = since === undefined ? undefined : new Date(since)
  if (keptSince && Number.isNaN(keptSince.getTime())) {
    throw new UsageError(`--kept-since: ${since} is not a time, such as 2026-01-01T00:00:00Z`)
  }
  return { help, wanted: { itemId: item?.toLowerCase(), keptSince } }
}

function parsedArguments() {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error })
  }
}
