/**
 * Raised by whoever changes `decide.ts`, `evolve.ts` or the table of price bands so that the same command on the same state may come to
 * something else. The audit log has it with each event.
 */
export const RULES_VERSION = 1
