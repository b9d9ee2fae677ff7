/** I4 and I5. */
import type { Sql } from '@bidmesh/platform/postgres.ts'
import type { Violation } from './check-invariants.ts'

export async function compareStatistics(_bidSql: Sql, _statsSql: Sql): Promise<Violation[]> {
  return []
}
