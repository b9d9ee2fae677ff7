/** Who is offered on the log-in page, and what everybody may: there are no passwords, since this is for development alone. */

/** Roles as Bidmesh has them in tokens. */
export const roleNames = ['bidder', 'seller', 'analyst', 'operator', 'service'] as const

const trader = ['bidder', 'seller'] as const

/** The first are those of the examples in documents. */
export const users = [
  { name: 'ann', roles: trader },
  { name: 'bob', roles: trader },
  { name: 'cleo', roles: trader },
  { name: 'olga', roles: ['operator'] },
  { name: 'ana', roles: ['analyst'] },
] as const

/** Any other name is a user as well, who trades. */
export function rolesOf(name: string): readonly string[] {
  return users.find((user) => user.name === name)?.roles ?? trader
}

/** As services take user ids: 1 to 128 printable characters. */
export function isUserName(name: string): boolean {
  return /^[^\p{C}]{1,128}$/u.test(name)
}
