/** How many bids the lanes of a bid service put into one transaction, by its own metrics. */

const metric = 'bidmesh_lane_batch_size'

/** Mean since it was started. */
export async function meanBatch(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`)
  return meanOf(await response.text())
}

/** @param text metrics in the Prometheus format. Throws when nothing was measured. */
export function meanOf(text: string): number {
  const of = (part: string): number =>
    Number(new RegExp(`^${metric}_${part}(?:\\{.*\\})? (\\S+)`, 'm').exec(text)?.[1])
  const mean = of('sum') / of('count')
  if (!Number.isFinite(mean)) throw new Error(`there is no ${metric} on /metrics`)
  return mean
}
