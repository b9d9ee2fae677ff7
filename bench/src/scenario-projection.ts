import type { Outcome } from './figure.ts'
import type { World } from './world.ts'
export async function runProjection(_world: World): Promise<Outcome> {
  return { figures: [], notes: [], violations: [] }
}
