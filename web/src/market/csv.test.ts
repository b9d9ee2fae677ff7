import { describe, expect, it } from 'vitest'
import { csvFileName, csvTime, type CsvValue, toCsv } from './csv.ts'

const one = (value: CsvValue): string =>
  toCsv([{ name: 'x', value: () => value }], ['row']).slice('x\r\n'.length, -'\r\n'.length)

describe('toCsv', () => {
  it('writes the names, then a line for each row', () => {
    const columns = [
      { name: 'bidder', value: ({ userId }: { userId: string }) => userId },
      { name: 'bids', value: () => 3n },
    ]
    expect(toCsv(columns, [{ userId: 'ann' }, { userId: 'bob' }])).toBe(
      'bidder,bids\r\nann,3\r\nbob,3\r\n',
    )
    expect(toCsv(columns, [])).toBe('bidder,bids\r\n')
  })

  it.each<[CsvValue, string]>([
    ['plain', 'plain'],
    ['two, three', '"two, three"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['cr\rhere', '"cr\rhere"'],
    [' blank in front', '" blank in front"'],
    ['', ''],
    [undefined, ''],
    ['ünïcode €', 'ünïcode €'],
  ])('quotes %j where it must: %j', (value, expected) => {
    expect(one(value)).toBe(expected)
  })

  it.each<[string, string]>([
    ['=1+1', "'=1+1"],
    ['+49', "'+49"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['  =1', "'  =1"],
    ['＝1', "'＝1"],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['a=b', 'a=b'],
  ])('keeps %j from being a formula: %j', (value, expected) => {
    expect(one(value)).toBe(expected)
  })

  it('leaves numbers alone, also negative and very large ones', () => {
    expect(one(-5)).toBe('-5')
    expect(one(9_223_372_036_854_775_807n)).toBe('9223372036854775807')
  })
})

it('writes times in UTC, and names that every file system takes', () => {
  const ms = Date.UTC(2026, 0, 2, 3, 4, 5)
  expect(csvTime(ms)).toBe('2026-01-02T03:04:05.000Z')
  expect(csvFileName('Top bidders: “Désk” / 7 d', ms)).toBe(
    'bidmesh-top-bidders-d-sk-7-d-2026-01-02-03-04.csv',
  )
  expect(csvFileName('…', ms)).toBe('bidmesh-table-2026-01-02-03-04.csv')
})
