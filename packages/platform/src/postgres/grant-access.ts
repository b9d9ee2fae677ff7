/** The rights of roles that services run as. They own nothing and change no table, so a leaked password cannot. */
import { errorCode } from '../process/errors.ts'
import type { Sql } from './postgres.ts'
import { StartError } from '../process/start-error.ts'

export type Access = {
  role: string
  tables: readonly string[]
  privileges: readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[]
}

/**
 * Grants, and looks whether it had an effect: to who may not grant, Postgres only gives a warning. Throws a
 * StartError that says what is missing. Not for two at once: of those, Postgres fails one.
 */
export async function grantAccess(sql: Sql, access: Access): Promise<void> {
  const { role, tables, privileges } = access
  const [at] = await sql<{ schema: string }[]>`SELECT current_schema() AS schema`
  const [to, schema] = [quoted(role), quoted(at?.schema ?? 'public')]
  try {
    // Sent as one, so that it is one transaction.
    await sql.unsafe(`
      GRANT USAGE ON SCHEMA ${schema} TO ${to};
      GRANT ${privileges.join(', ')} ON ${tables.map(quoted).join(', ')} TO ${to}`)
  } catch (error) {
    if (errorCode(error) === '42704')
      throw new StartError(`there is no role ${role}: create it first`, { cause: error })
    if (errorCode(error) !== '42501') throw error
  }
  const lacking = await sql<{ privilege: string }[]>`
    SELECT privilege || ' on ' || name AS privilege
    FROM unnest(${[...tables]}::text[]) AS name, unnest(${[...privileges]}::text[]) AS privilege
    WHERE NOT has_table_privilege(${role}, name, privilege)
    UNION ALL
    SELECT 'USAGE on schema ' || current_schema()
    WHERE NOT has_schema_privilege(${role}, current_schema(), 'USAGE')`
  if (lacking.length === 0) return
  const list = lacking.map(({ privilege }) => privilege).join(', ')
  throw new StartError(
    `role ${role} lacks ${list}, and the role of DATABASE_URL cannot grant it: only their owner can`,
  )
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
