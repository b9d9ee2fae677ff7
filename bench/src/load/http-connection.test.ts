import { describe, expect, it } from 'vitest'
import { readAnswer } from './http-connection.ts'

const answer =
  'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"é":1'

describe('readAnswer', () => {
  it('reads status and body, whose length counts bytes', () => {
    const bytes = Buffer.from(answer)
    expect(readAnswer(bytes)).toEqual({ status: 409, body: '{"é":1' })
  })

  it('waits for every part of an answer, wherever it is cut', () => {
    const bytes = Buffer.from(answer)
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(readAnswer(bytes.subarray(0, cut))).toBeUndefined()
    }
  })

  it('gives up on an answer without content-length', () => {
    const chunked = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(readAnswer(chunked)).toBe('unreadable')
  })
})
