/** The read side's tables. */
export const statsSchema = {
  service: 'stats',
  directory: new URL('../migrations', import.meta.url).pathname,
  tables: [
    'inbox',
    'inbox_events',
    'user_stats',
    'user_amounts',
    'item_stats',
    'user_items',
    'activity',
    'market_activity',
  ],
} as const
