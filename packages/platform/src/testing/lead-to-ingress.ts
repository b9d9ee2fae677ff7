/** What curl's `--connect-to` is, for this process: a name that no DNS knows leads to an address. */
import dns from 'node:dns'

/**
 * @param url whose name it is
 * @param address undefined: the name is looked up as ever
 */
export function leadToIngress(url: string, address: string | undefined): void {
  if (address === undefined) return
  const { hostname } = new URL(url)
  // `net` asks here at each connection, so it holds for fetch, http and Connect alike.
  dns.lookup = new Proxy(dns.lookup, {
    apply: (lookup, self, [name, ...rest]: unknown[]) =>
      Reflect.apply(lookup, self, [name === hostname ? address : name, ...rest]),
  })
}
