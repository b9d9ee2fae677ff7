/**
 * Where a request comes from, past the proxies that are ours. Anybody can write `x-forwarded-for`: it is read from its end, where the
 * last proxy has added whom it saw, and only as far as those who added something are named in TRUSTED_PROXIES.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { HttpRequest } from '../server/http-handler.ts'

/** Requests that came by a proxy of ours; all others come from where their connection does. */
const told = new WeakMap<HttpRequest, string>()

/** Empty when the connection is gone. */
export function clientAddress(request: HttpRequest): string {
  return told.get(request) ?? plain(request.socket.remoteAddress ?? '')
}

/**
 * @param proxies addresses and networks, such as `10.0.0.0/8`, that {@link isNetwork} takes
 * @returns to be called with each request before anybody asks where it came from; undefined without proxies
 */
export function createProxyReader(
  proxies: readonly string[],
): ((request: HttpRequest) => void) | undefined {
  if (proxies.length === 0) return undefined
  const ours = new BlockList()
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/')
    if (bits === undefined) ours.addAddress(address, familyOf(address))
    else ours.addSubnet(address, Number(bits), familyOf(address))
  }
  const isOurs = (address: string) => ours.check(address, familyOf(address))

  return (request) => {
    const hops = String(request.headers['x-forwarded-for'] ?? '').split(',')
    let address = plain(request.socket.remoteAddress ?? '')
    while (isIP(address) && isOurs(address)) {
      const before = withoutPort(hops.pop()?.trim() ?? '')
      // What is no address was written by nobody of ours.
      if (!isIP(before)) break
      address = plain(before)
    }
    told.set(request, address)
  }
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** What is counted as one: of IPv6 the network of a household, which has 2^64 addresses to choose from. */
export function neighbourhood(address: string): string {
  if (!isIPv6(address)) return address
  const [front = '', back] = address.split('::')
  const groups = front.split(':').filter((group) => group !== '')
  const missing =
    back === undefined ? 0 : 8 - groups.length - back.split(':').filter(Boolean).length
  const all = [
    ...groups,
    ...Array.from({ length: missing }, () => '0'),
    ...(back?.split(':') ?? []),
  ]
  return `${all.slice(0, 4).join(':')}::/64`
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}

/** IPv4 is IPv4 also where one socket listens for both. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** Some proxies add it: `203.0.113.7:51000`, `[2001:db8::7]:51000`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
}
