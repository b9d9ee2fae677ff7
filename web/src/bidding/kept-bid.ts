/** What somebody wanted to bid when they had to sign in again: it is in the form when they are back. */

const STORED_AS = 'bidmesh.kept-bid'

export type KeptBid = {
  itemId: string
  userId: string
  /** As it stands in the form. */
  text: string
}

/** In this tab alone: another one has another form. */
export function keepBid(bid: KeptBid): void {
  sessionStorage.setItem(STORED_AS, JSON.stringify(bid))
}

/** What was kept for this form, which is then forgotten: for the first state of a component. */
export function keptBid(itemId: string, userId: string): () => string | undefined {
  return () => {
    try {
      const kept: KeptBid | null = JSON.parse(sessionStorage.getItem(STORED_AS) ?? 'null')
      return kept?.itemId === itemId && kept.userId === userId ? kept.text : undefined
    } catch {
      return undefined
    }
  }
}

export function forgetKeptBid(): void {
  sessionStorage.removeItem(STORED_AS)
}
