/** scripts/verify-deployment.sh, through the ingress. */
import { apiUrl, type ClusterWorld, webUrl } from './cluster-world.ts'
import { command } from './command.ts'

export async function verify({ namespace, ingressAddress = '' }: ClusterWorld): Promise<string> {
  const startedMs = performance.now()
  const env = {
    NAMESPACE: namespace,
    API_URL: apiUrl,
    WEB_URL: webUrl,
    INGRESS_ADDRESS: ingressAddress,
  }
  const said = await command('scripts/verify-deployment.sh', [], { env })
  const checks = said.match(/^ok /gm)?.length ?? 0
  return `${checks} checks in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`
}
