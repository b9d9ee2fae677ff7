/** What does not hold, of ARCHITECTURE's invariants, and where. */
export type Violation = { invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I7'; message: string }
