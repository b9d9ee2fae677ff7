/** The read side's tables. */
export const statsSchema = {
  service: 'stats',
  directory: new URL('../migrations', import.meta.url).pathname,
  tables: ['inbox', 'user_stats', 'item_stats', 'user_items', 'activity'],
} as const
