/** For tests that hold locks: a transaction beside the code under test. */
import { connectSingle, type ReservedSql, reserve } from '../postgres/postgres.ts'

/** Runs `work` in a transaction on a connection of its own, and rolls back when it throws. */
export async function inTransaction<Result>(
  databaseUrl: string,
  work: (tx: ReservedSql) => Promise<Result>,
): Promise<Result> {
  const pool = connectSingle(databaseUrl, { applicationName: 'bidmesh-test' })
  try {
    const tx = await reserve(pool)
    await tx`BEGIN`
    const result = await work(tx)
    await tx`COMMIT`
    return result
  } finally {
    await pool.end({ timeout: 0 })
  }
}
