/**
 * For tests of what is read: a connection makes known what it has read (`pg_stat_user_tables`) when it ends, and that takes a
 * moment.
 */
import { expect } from 'vitest'
import type { Sql } from '../postgres/postgres.ts'
import { eventually } from './eventually.ts'

/** Resolves when no connection of this name to this database is left. */
export async function untilGone(sql: Sql, applicationName: string): Promise<void> {
  await eventually(async () => {
    const left = await sql`
      SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = ${applicationName}`
    expect(left).toEqual([])
  })
}
