/** Whether a database is what a component needs it to be, for `/readyz` and at the start: one cheap query, no write. */
import { type Sql } from './postgres.ts'
import { ReadOnlyServerError, TransientError } from '../process/errors.ts'

export const STANDBY = 'the database server is a standby: it takes reads only'

export type DatabaseNeeds = {
  /** Tables that must be there, whoever made them. */
  tables: readonly string[]
  /** It must take changes. */
  writes: boolean
}

/**
 * Resolves when the database answers, is no standby, has the tables, and takes changes if there are to be any;
 * rejects with the reason, fit for `/readyz`. A standby is none of ours even to read from: what it shows is
 * older than what was acknowledged.
 */
export async function checkDatabase(sql: Sql, { tables, writes }: DatabaseNeeds): Promise<void> {
  const [found] = await sql<{ standby: boolean; reads_only: string; missing: string[] }[]>`
    SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS reads_only,
      ARRAY(
        SELECT name FROM unnest(${[...tables]}::text[]) AS name WHERE to_regclass(name) IS NULL
      ) AS missing`
  if (!found) throw new TransientError('the database did not answer')
  if (found.standby) throw new ReadOnlyServerError(STANDBY)
  if (writes && found.reads_only === 'on')
    throw new ReadOnlyServerError('the database takes reads only')
  if (found.missing.length > 0) throw new TransientError(missingTables(found.missing))
}

export function missingTables(names: readonly string[]): string {
  return `${names.length === 1 ? 'table' : 'tables'} ${names.join(', ')} missing in the database`
}
