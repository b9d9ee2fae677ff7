/** Creates databases for the forms of Bidmesh that own their server (standalone, stack, tests). */
import { errorCode } from '../process/errors.ts'
import { connectPostgres } from './postgres.ts'

/** SQLSTATEs of a database that somebody else has created, before us or at the same moment. */
const existsStates = new Set(['42P04', '23505'])

export type EnsuredDatabase = { url: string; created: boolean }

/**
 * Makes sure the server has a database of this name, and returns its URL.
 *
 * @param serverUrl URL of any existing database of the server, with the right to create one.
 */
export async function ensureDatabase(serverUrl: string, name: string): Promise<EnsuredDatabase> {
  const url = withDatabase(serverUrl, name)
  const sql = connectPostgres(serverUrl, { max: 1, applicationName: 'bidmesh-create-database' })
  try {
    const [row] = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
    if (row !== undefined) return { url, created: false }
    await sql`CREATE DATABASE ${sql(name)}`
    return { url, created: true }
  } catch (error) {
    if (existsStates.has(errorCode(error) ?? '')) return { url, created: false }
    throw error
  } finally {
    await sql.end()
  }
}

/** The same server's URL with another database. */
export function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${encodeURIComponent(name)}`
  return url.href
}
