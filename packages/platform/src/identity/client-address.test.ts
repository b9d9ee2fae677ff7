import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { clientAddress, createProxyReader, isNetwork, neighbourhood } from './client-address.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** What a server on 127.0.0.1 takes for the address of a request with this header. */
async function addressOf(proxies: readonly string[], forwarded?: string): Promise<string> {
  const locate = createProxyReader(proxies)
  let address = ''
  const server = createServer((incoming, response) => {
    locate?.(incoming)
    address = clientAddress(incoming)
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => server.close())
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('not a TCP address')
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  const call = request({ host: '127.0.0.1', port: at.port, headers, agent: false }).end()
  const [response] = await once(call, 'response')
  response.resume()
  return address
}

describe('the address of a client', () => {
  it.each([
    ['without proxies is where the connection comes from', [], '203.0.113.7', '127.0.0.1'],
    ['is the header of a proxy of ours', ['127.0.0.0/8'], '203.0.113.7', '203.0.113.7'],
    [
      'is what the last stranger has been seen as, not what they say',
      ['127.0.0.1'],
      '1.1.1.1, 203.0.113.7',
      '203.0.113.7',
    ],
    [
      'is found behind several proxies of ours',
      ['127.0.0.1', '10.0.0.0/8'],
      '203.0.113.7, 10.1.2.3',
      '203.0.113.7',
    ],
    [
      'is not what stands before a stranger',
      ['127.0.0.1', '10.0.0.0/8'],
      '10.9.9.9, 198.51.100.1, 10.1.2.3',
      '198.51.100.1',
    ],
    ['is that of a proxy that says nothing', ['127.0.0.1'], undefined, '127.0.0.1'],
    ['is that of a proxy whose word is no address', ['127.0.0.1'], 'unknown', '127.0.0.1'],
    ['has no port', ['127.0.0.1'], '203.0.113.7:4711', '203.0.113.7'],
    ['of IPv6 has neither brackets nor port', ['127.0.0.1'], '[2001:db8::7]:4711', '2001:db8::7'],
    ['of another proxy is not read from the header', ['10.0.0.0/8'], '203.0.113.7', '127.0.0.1'],
  ])('%s', async (_, proxies, forwarded, expected) => {
    expect(await addressOf(proxies, forwarded)).toBe(expected)
  })
})

it('an IPv6 network of 64 bits counts as one, and an IPv4 address for itself', () => {
  expect(neighbourhood('192.0.2.1')).toBe('192.0.2.1')
  const same = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:2:3:4:5:6']
  expect(new Set(same.map(neighbourhood))).toEqual(new Set(['2001:db8:1:2::/64']))
  expect(neighbourhood('2001:db8:1:3::1')).toBe('2001:db8:1:3::/64')
  expect(neighbourhood('2001:db8::1')).toBe('2001:db8:0:0::/64')
  expect(neighbourhood('::1')).toBe('0:0:0:0::/64')
})

it('networks are told from what is none', () => {
  for (const good of ['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '::1'])
    expect(isNetwork(good)).toBe(true)
  for (const bad of [
    '10.0.0.0/33',
    '10.0.0',
    'fd00::/129',
    'proxy',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    '',
  ])
    expect(isNetwork(bad)).toBe(false)
})
