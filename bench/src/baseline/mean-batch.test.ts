import { expect, it } from 'vitest'
import { meanOf } from './mean-batch.ts'

it('divides what the batches held by their number', () => {
  const text = `# TYPE bidmesh_lane_batch_size histogram
bidmesh_lane_batch_size_count{otel_scope_name="bidmesh"} 4
bidmesh_lane_batch_size_sum{otel_scope_name="bidmesh"} 130
bidmesh_lane_batch_size_bucket{le="1"} 3
`
  expect(meanOf(text)).toBe(32.5)
  expect(() => meanOf('bidmesh_lane_batch_size_count 4\n')).toThrow('/metrics')
})
