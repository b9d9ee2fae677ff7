/** People by their ids, as far as servers tell them: with tokens a foreign bidder's is empty. */

/** Two ids that say nothing are not the same person. */
export function isYou(id: string, userId: string): boolean {
  return id !== '' && id === userId
}

/** @param masked what to call somebody who is not named */
export function nameOf(id: string, masked = 'A bidder'): string {
  return id === '' ? masked : id
}
