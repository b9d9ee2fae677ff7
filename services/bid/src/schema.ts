/** The write side's tables: bid owns them, the auctioneer, the relay and live use them. */
export const bidSchema = {
  service: 'bid',
  directory: new URL('../migrations', import.meta.url).pathname,
  tables: [
    'items',
    'bids',
    'bid_keys',
    'outbox',
    'item_keys',
    'item_texts',
    'item_events',
    'audit_entries',
  ],
  appendOnly: ['item_events', 'audit_entries'],
} as const
