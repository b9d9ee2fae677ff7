import { expect, it } from 'vitest'
import { personOf } from './token-claims.ts'

function tokenOf(claims: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims))
  const text = btoa(String.fromCodePoint(...bytes))
  return `e30.${text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.sig`
}

it.each([
  ['a list', { roles: ['bidder', 7, 'seller'] }, 'roles', ['bidder', 'seller']],
  ['a string', { roles: 'bidder seller' }, 'roles', ['bidder', 'seller']],
  ['a way', { realm_access: { roles: ['analyst'] } }, 'realm_access.roles', ['analyst']],
  ['a name with dots', { 'https://a.org/roles': ['bidder'] }, 'https://a.org/roles', ['bidder']],
  ['nothing', {}, 'realm_access.roles', []],
  ['another thing', { roles: 7 }, 'roles', []],
])('finds roles that are %s', (_, claims, path, roles) => {
  const person = personOf(tokenOf({ sub: 'Zoë', ...claims }), path, '')
  expect(person).toEqual({ userId: 'Zoë', roles: new Set(roles) })
})

it('takes the subject it was told for a token that it cannot read', () => {
  for (const token of ['opaque', 'a.b.c', '..']) {
    expect(personOf(token, 'roles', 'ann')).toEqual({ userId: 'ann', roles: new Set() })
  }
})
