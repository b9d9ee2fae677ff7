/** `bidmesh migrate bid|stats`: brings a database up to date as its owner, for services that may not. */
import { parseArgs } from 'node:util'
import { bidSchema } from '@bidmesh/bid/schema.ts'
import { ConfigError } from '@bidmesh/platform/process/config.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { migrate, type Schema } from '@bidmesh/platform/postgres/migrate.ts'
import { connectPostgres, waitForPostgres } from '@bidmesh/platform/postgres/postgres.ts'
import { StartError } from '@bidmesh/platform/process/start-error.ts'
import { statsSchema } from '@bidmesh/stats/schema.ts'
import { readMigrateConfig } from './config.ts'

const HELP = `Brings a database up to date, and lets the roles of the services in. Any number may run at once.

  migrate bid|stats

  DATABASE_URL  the database, as the role that is to own the tables; waited for
  GRANT_TO      optional: a role that gets to read and write the rows of all tables
  LOG_LEVEL     info
`

const schemas = new Map<string, Schema>([
  ['bid', bidSchema],
  ['stats', statsSchema],
])

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      options: { help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const [name = '', ...more] = positionals
    const schema = schemas.get(name)
    if (!schema || more.length > 0) throw new ConfigError(['which database? bid or stats'])
    await migrateSchema(schema)
    return 0
  } catch (error) {
    const hint = error instanceof ConfigError || !(error instanceof StartError) ? HELP : ''
    process.stderr.write(`${messageOf(error)}\n${hint && `\n${hint}`}`)
    return 1
  }
}

async function migrateSchema(schema: Schema): Promise<void> {
  const config = readMigrateConfig()
  const log = createLog({ name: `migrate-${schema.service}`, level: config.LOG_LEVEL })
  const { DATABASE_URL: url, GRANT_TO: grantTo } = config
  const sql = connectPostgres(url, { max: 1, applicationName: 'bidmesh migrate' })
  try {
    await waitForPostgres(sql, log, { writes: true })
  } finally {
    await sql.end()
  }
  await migrate({ ...schema, url, log, grantTo })
  log.info({ grantTo }, 'the database is up to date')
}
