import { trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { captureSpans } from '../testing/capture-spans.ts'
import { createLog } from './log.ts'

function capture() {
  const lines: string[] = []
  const log = createLog({
    name: 'bid',
    level: 'info',
    destination: { write: (line) => lines.push(line) },
  })
  return { log, lines, last: (): unknown => JSON.parse(lines.at(-1) ?? 'null') }
}

test('one JSON line with name, level and time; less than the level is left out', () => {
  const { log, lines, last } = capture()
  log.debug('quiet')
  log.warn({ lagMs: 5 }, 'slow')
  expect(lines).toHaveLength(1)
  expect(last()).toMatchObject({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    name: 'bid',
    lagMs: 5,
    msg: 'slow',
  })
})

test('an error comes with its stack and its cause', () => {
  const { log, lines } = capture()
  log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed')
  expect(lines[0]).toContain('outer')
  expect(lines[0]).toContain('inner')
  expect(lines[0]).toContain('log.test.ts')
})

test('no password gets out: not by key, not in a URL, not in an error', () => {
  const { log, lines } = capture()
  const url = 'amqp://guest:hunter2@mq:5672/x'
  log.info({ password: 'hunter2', headers: { authorization: 'Bearer hunter2' } }, 'keys')
  log.info({ url, urls: ['postgres://:hunter2@db'] }, `cannot reach ${url}`)
  log.error({ err: new Error(`cannot reach ${url}`) }, 'failed')
  log.child({ url }).info('child')
  expect(lines).toHaveLength(4)
  expect(lines.join('')).not.toContain('hunter2')
  expect(lines[1]).toContain('amqp://guest:***@mq:5672/x')
  for (const line of lines) JSON.parse(line)
})

test('lines within a span carry its ids', async () => {
  const spans = captureSpans()
  const { log, last } = capture()
  await trace.getTracer('test').startActiveSpan('work', async (span) => {
    await Promise.resolve()
    log.info('inside')
    span.end()
  })
  const [span] = spans.finished()
  const { traceId, spanId } = span?.spanContext() ?? {}
  expect(last()).toMatchObject({ trace_id: traceId, span_id: spanId })
  log.info('outside')
  expect(last()).not.toHaveProperty('trace_id')
  await spans.stop()
})
