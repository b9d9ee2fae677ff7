/** Items are found by their own words, whatever script and signs these are written with. */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { randomUUID } from 'node:crypto'
import { ListItemsRequest_OrderBy as OrderBy } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { createTestDatabase, type TestDatabase } from '@bidmesh/platform/testing/test-database.ts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrationsDirectory } from './bid-component.ts'
import { executeBatch } from './execute-batch.ts'
import { listItems, noFilter } from './list-items.ts'
import { putItem } from './test-item.ts'
import { createOlderStore, migrateToPresent, putOlderItem } from './test-older-store.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase(migrationsDirectory)
})

afterAll(async () => {
  await database.drop()
})

/** Ids that a search finds, among the items of one seller. */
async function found(query: string, sellerId: string): Promise<string[]> {
  const filter = { ...noFilter, sellerId, query }
  const { rows } = await listItems(database.sql, filter, {
    pageSize: 0,
    pageToken: '',
    full: false,
  })
  return rows.map(({ id }) => id)
}

async function finds(title: string, query: string, description = ''): Promise<boolean> {
  const sellerId = randomUUID()
  const { itemId } = await putItem(database.session, { title, description, sellerId })
  return (await found(query, sellerId)).includes(itemId)
}

describe('a word', () => {
  it.each([
    ['AC/DC Back in Black', 'AC/DC', 'ac/dc', 'acdc', 'ac dc', 'DC', 'black AC', '"AC/DC"'],
    ['Ford F-150 Truck', 'F-150', 'f-150', 'f150', 'F 150', 'f150?', '(F-150)', 'F–150', '150'],
    ['Ford F150 Truck', 'F-150', 'f150', 'F/150'],
    ['Golf GTI 1.8 Turbo', '1.8', '1.8 turbo', 'gti 1', '8'],
    ['Learning node.js and/or Deno', 'node.js', 'nodejs', 'and/or', 'js', 'or'],
    ['C++ primer, C# too', 'C++', 'c++', 'c#', 'C', 'primer C++'],
    ["O'Brien’s table", "O'Brien", 'O’Brien', 'obrien', "brien's", "o'brien's"],
    ['Über-naïve café', 'naïve', 'nai\u0308ve', 'NAIVE', 'uber', 'CAFE\u0301', 'Über-naïve'],
    ['U\u0308ber-nai\u0308ve cafe\u0301', 'naïve', 'über', 'café', 'CAFE'],
    ['Straße nach Łódź', 'strasse', 'STRASSE', 'straße', 'łódź'],
    ['Ελλάδα Σίσυφος', 'Ελλάδα', 'ΕΛΛΑΔΑ', 'ελλαδα', 'σισυφοσ', 'Σίσυφος'],
    ['Сёмга и ёж', 'сёмга', 'СЕМГА', 'еж'],
    ['हिन्दी की किताब।', 'हिन्दी', 'किताब', 'हि'],
    ['หนังสือภาษาไทย', 'ภาษาไทย', 'ภาษา', 'ไทย', 'หนังสือภาษาไทย'],
    [
      '東京タワーの夜。写真',
      '東京タワー',
      'タワー',
      '京',
      '東京 写真',
      'ﾀﾜｰ',
      '東京タワーの夜。写真',
    ],
    ['중고 기타 팝니다', '기타', '중고 기타'],
    ['كِتَاب قديم', 'كتاب', 'كِتَاب'],
    ['שָׁלוֹם', 'שלום'],
    ['🎸 guitar 👩‍🚀 I♥NY', '🎸', 'guitar 🎸', '👩‍🚀', 'I♥NY', '♥️'],
    [
      'https://example.com/a_b?c=d&e=f 50% off',
      'example.com',
      'example',
      'a_b',
      'e=f',
      '50%',
      '50',
    ],
    ['ﬁne ＷＩＤＥ Ⅳ ½', 'fine', 'wide', 'iv', '½', '1'],
  ])('of "%s" finds it', async (title, ...queries) => {
    for (const query of queries) {
      expect([query, await finds(title, query)]).toEqual([query, true])
      expect([query, await finds('Lamp', query, title)]).toEqual([query, true])
    }
  })

  it.each([
    ['Lamp', 'amp', 'lamps', 'desk', 'lamp desk', '???', '-', '🎸'],
    ['Ford F-150', 'F-250', '50', '-'],
    ['東京タワー', '京都', '東京塔', 'タワー東京'],
    ['C primer', 'C++'],
  ])('that is not in "%s" does not find it', async (title, ...queries) => {
    for (const query of queries) {
      expect([query, await finds(title, query)]).toEqual([query, false])
    }
  })
})

/** As a person sees words: letters, digits and what belongs to them. */
const seenWords = /[\p{L}\p{N}\p{M}]+/gu
const spoken = fc.constantFrom(
  ...'AC f 150 1 8 C O Brien naïve Straße İstanbul Ελλάς ёж हिन्दी ภาษาไทย'.split(' '),
  ...'東京 タワー 한국어 كِتَاب 🎸 𠮷野家 nai\u0308ve'.split(' '),
)
const between = fc.constantFrom(
  ...'/ - – . , \' ’ & + ++ # _ " 。 ~ \\ :* | ! <-> … • 、'.split(' '),
  ...' |  | (|) |\u00a0|\u200b|\t'.split('|'),
)
const title = fc
  .array(fc.tuple(spoken, between), { minLength: 1, maxLength: 8 })
  .map((pairs) => pairs.flat().join(''))
const anyTitle = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 60 })
  .map((text) => text.replaceAll('\0', ' ').toWellFormed())

describe('whatever the title', () => {
  it('each of its words finds it', async () => {
    let words = 0
    await fc.assert(
      fc.asyncProperty(title, async (text) => {
        const sellerId = randomUUID()
        const { itemId } = await putItem(database.session, { title: text, sellerId })
        for (const word of [...text.split(/\s+/u), ...(text.match(seenWords) ?? []), text]) {
          if (!/[\p{L}\p{N}]/u.test(word)) continue
          expect([word, await found(word, sellerId)]).toEqual([word, [itemId]])
          words += 1
        }
      }),
      { numRuns: 60 },
    )
    expect(words).toBeGreaterThan(0)
  })

  it('what stands between its spaces finds it or is no word, and nothing is an error', async () => {
    let words = 0
    await fc.assert(
      fc.asyncProperty(anyTitle, async (text) => {
        const sellerId = randomUUID()
        const { itemId } = await putItem(database.session, { title: text, sellerId })
        for (const word of [...text.split(/\s+/u), text]) {
          const ids = await found(word.slice(0, 200), sellerId)
          const isWord = /[a-z0-9\p{Script=Cyrillic}\p{Script=Han}]/iu.test(word)
          if (!isWord && word.trim() !== '') continue
          expect([word, ids]).toEqual([word, [itemId]])
          words += 1
        }
      }),
      { numRuns: 150 },
    )
    expect(words).toBeGreaterThan(0)
  })
})

describe('the longest description there may be', () => {
  const many = (at: (index: number) => string) => Array.from({ length: 10_000 }, (_, n) => at(n))
  it.each([
    ['one word', many(() => 'x').join(''), 'x'.repeat(200)],
    [
      'of many words',
      many((n) => `w${n.toString(36)} `)
        .join('')
        .slice(0, 10_000),
      'w1a0 w2s',
    ],
    [
      'one word with signs',
      many((n) => `${n % 10}.`)
        .join('')
        .slice(0, 10_000),
      '7.8.9.0',
    ],
    [
      'without spaces',
      many((n) => String.fromCodePoint(0x4e_00 + n)).join(''),
      '\u4f00\u4f01\u4f02',
    ],
    ['of four bytes each', many((n) => String.fromCodePoint(0x2_00_00 + n)).join(''), '\u{20401}'],
    [
      'that unfolds',
      many(() => '\ufdfa')
        .join(' ')
        .slice(0, 10_000),
      '\ufdfa',
    ],
  ])('%s', async (_, description, query) => {
    const startedMs = performance.now()
    expect(await finds('Lamp', query, description)).toBe(true)
    // Measured 30 to 200 ms; what grows with the square of the length would take longer.
    expect(performance.now() - startedMs).toBeLessThan(5_000)
  })
})

describe('an item', () => {
  it('that was edited is found by its new words only', async () => {
    const sellerId = randomUUID()
    const { itemId } = await putItem(database.session, { title: 'Lamp', sellerId })
    const by = { userId: sellerId, operator: false }
    const command = { kind: 'edit' as const, by, texts: { title: 'Lantern' } }
    const entry = { itemId, command, idempotencyKey: '', trace: {}, origin: noOrigin }
    await executeBatch(database.session, [entry], { invalidate: async () => undefined })
    expect([await found('lamp', sellerId), await found('lantern', sellerId)]).toEqual([
      [],
      [itemId],
    ])
  })

  it('from before the words had a table of their own is found', async () => {
    await using cleanup = new AsyncDisposableStack()
    const old = cleanup.adopt(await createOlderStore('20261126'), (each) => each.drop())
    const itemId = await putOlderItem(old.sql, 'Lamp')
    await migrateToPresent(old)
    const filter = { ...noFilter, query: 'lamp' }
    const page = await listItems(old.sql, filter, { pageSize: 0, pageToken: '', full: false })
    expect(page.rows.map(({ id }) => id)).toEqual([itemId])
    const byPrice = { ...noFilter, orderBy: OrderBy.PRICE_ASC }
    const cheapest = await listItems(old.sql, byPrice, { pageSize: 1, pageToken: '', full: false })
    expect(cheapest.rows).toMatchObject([{ id: itemId, softClose: { extension: { seconds: 1n } } }])
  })
})
