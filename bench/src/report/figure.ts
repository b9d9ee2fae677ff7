/** A line of the bench's table: a measured figure beside what it is held against. */

export type Figure = {
  scenario: string
  name: string
  ours: string
  /** What it is held against, and what that is. */
  against: string
  /** CPU time of the server's process per bid, µs: ours and that of what it is held against. */
  cpu?: string
  /** What is judged: a ratio, or a figure in the unit of the target. */
  value: number
  /** Absent: shown for information. */
  target?: { kind: 'at least' | 'at most'; value: number; unit: '×' | 'ms' | 'µs' | 'kB' }
}

/** A target in a chart. */
export type Bar = {
  label: string
  kind: 'ours' | 'other' | 'decides nothing'
  perSecond: number
  /** CPU time for each accepted bid, µs; NaN of what it does not have, or what cannot be seen. */
  serverMicros: number
  databaseMicros: number
}

export type Outcome = {
  figures: Figure[]
  /** What is no figure but helps to read them, one line each. */
  notes: string[]
  /** What the invariant checker found; any voids the scenario's figures. */
  violations: string[]
  /** For a chart: the targets of its main load. */
  bars?: Bar[]
}

export type Verdict = 'ok' | 'missed' | 'VOID' | ''

export function verdictOf({ target, value }: Figure, isVoid: boolean): Verdict {
  if (isVoid) return 'VOID'
  if (target === undefined) return ''
  const met = target.kind === 'at least' ? value >= target.value : value <= target.value
  return met ? 'ok' : 'missed'
}

/** Thousands separated; three digits that matter below ten. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'n/a'
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

/** Without the columns that have nothing below their heading. */
export function withoutEmptyColumns(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string[][] {
  const isUsed = header.map((_, column) => rows.some((row) => row[column]))
  return [header, ...rows].map((row) => row.filter((_, column) => isUsed[column]))
}

/** The table, columns as wide as they must be, first column left-aligned and the others right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
