/** In this order. */
export const stepNames = [
  'install',
  'verify',
  'roll',
  'kill',
  'scale',
  'network',
  'backup',
] as const
export type StepName = (typeof stepNames)[number]
