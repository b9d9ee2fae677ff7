/** Saves what a table or a chart shows as a file for spreadsheets. */
import { Button } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { type CsvColumn, csvFileName, toCsv } from './csv.ts'

/** Spreadsheets take a file without it for whatever their machine writes. */
const BYTE_ORDER_MARK = '\uFEFF'

export type CsvButtonProps<Row> = {
  /** What it is, for the file's name and for who cannot see what the button stands beside. */
  title: string
  columns: readonly CsvColumn<Row>[]
  rows: readonly Row[]
}

export function CsvButton<Row>({ title, columns, rows }: CsvButtonProps<Row>) {
  const save = (): void => {
    const type = 'text/csv;charset=utf-8'
    const url = URL.createObjectURL(new Blob([BYTE_ORDER_MARK, toCsv(columns, rows)], { type }))
    const link = document.createElement('a')
    link.href = url
    link.download = csvFileName(title, Date.now())
    link.click()
    // Only after the browser has begun to read it.
    setTimeout(() => URL.revokeObjectURL(url))
  }
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={<IconDownload size={14} aria-hidden />}
      aria-label={`Download as CSV: ${title}`}
      disabled={rows.length === 0}
      onClick={save}
    >
      CSV
    </Button>
  )
}
