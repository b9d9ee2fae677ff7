import { describe, expect, it } from 'vitest'
import { isOffline } from './use-offline.ts'

const answers = async (): Promise<void> => undefined
const fails = async (): Promise<void> => {
  throw new Error('no network')
}

describe('offline', () => {
  it.each([
    [true, 'auctions.example', fails, false],
    [true, 'localhost', fails, false],
    [false, 'auctions.example', answers, true],
    [false, '127.0.0.1.example', answers, true],
    [false, 'localhost', fails, true],
    [false, 'localhost', answers, false],
    [false, '127.0.0.1', answers, false],
    [false, '[::1]', answers, false],
  ])('network %s, server %s', async (onLine, hostname, reach, offline) => {
    expect(await isOffline({ onLine, hostname, reach })).toBe(offline)
  })
})
