import { expect, test } from 'vitest'
import { readRelayConfig } from './config.ts'

test('reads what it needs and listens on 8080 everywhere', () => {
  const env = { DATABASE_URL: 'postgres://u@db/bids', AMQP_URL: 'amqp://broker' }
  expect(readRelayConfig(env)).toMatchObject({ ...env, HOST: '0.0.0.0', PORT: 8080 })
})

test('names every variable that is missing or wrong', () => {
  expect(() => readRelayConfig({ AMQP_URL: 'http://broker' })).toThrow(
    /DATABASE_URL[\s\S]*AMQP_URL|AMQP_URL[\s\S]*DATABASE_URL/,
  )
})
