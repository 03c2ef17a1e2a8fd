import type { Connection, SchemaRegistry } from '@switchboard-kafka/client'
import { type Check, failed, ok } from './checks.ts'
import { failureOf, networkCode, nextAfterNetwork } from './failure.ts'

const timeoutMs = 5_000

/** What a client of the registry sends with each request. */
const headersOf = async (registry: SchemaRegistry): Promise<Readonly<Record<string, string>>> => {
  const { credential, logicalCluster, identityPoolId } = registry
  const authorization =
    credential.kind === 'jwt'
      ? `Bearer ${await registry.token()}`
      : `Basic ${Buffer.from(`${credential.username}:${registry.password()}`).toString('base64')}`
  return {
    authorization,
    ...(logicalCluster === undefined ? {} : { 'target-sr-cluster': logicalCluster }),
    ...(identityPoolId === undefined ? {} : { 'confluent-identity-pool-id': identityPoolId }),
  }
}

/** Whether the login is an API key that Switchboard makes, or one that the policy has a secret for: only the cluster tells. */
const mayBeOurKey = ({ cluster, credential }: Connection): boolean =>
  cluster.provider === 'confluent' && credential.kind === 'api-key'

const nextAfter = (status: number, connection: Connection, { credential, identityPoolId }: SchemaRegistry): string => {
  if (status === 401 && credential.kind === 'jwt')
    return `Confluent Cloud refuses our token: the platform team sees that the filter of the identity pool \`${identityPoolId}\` takes it, that \`schemaRegistry.id\` is that of the registry, and runs \`switchboard confluent setup\``
  if (status === 401 && mayBeOurKey(connection))
    return `Confluent Cloud does not know the API key \`${credential.kind === 'basic' ? credential.username : ''}\`: try again, as it may take minutes to arrive; then the platform team sees that \`schemaRegistry\` has \`url\` and \`id\` of one registry, or, with \`secret\`, that the secret has a key of it`
  if (status === 401)
    return `the registry knows no user \`${credential.kind === 'basic' ? credential.username : ''}\` with this password: the platform team sees that the secret of the policy has the one that the registry has`
  if (status === 403 && mayBeOurKey(connection))
    return 'the platform team gives the service account a role on subjects: `switchboard confluent setup`'
  if (status === 403)
    return credential.kind === 'jwt'
      ? `the platform team gives the identity pool \`${identityPoolId}\` a role on subjects: \`switchboard confluent setup\``
      : 'the platform team lets the user read subjects in the registry'
  return status >= 500
    ? 'try again; the registry has trouble of its own'
    : 'see that `schemaRegistry.url` is its base URL'
}

/** Whether the registry of the cluster's schemas lets this client in; it reads the names of one subject and registers nothing. */
export const checkRegistry = async (
  connection: Connection,
  fetch: typeof globalThis.fetch,
): Promise<readonly Check[]> => {
  const { cluster, schemaRegistry } = connection
  if (schemaRegistry === undefined) return []
  const name = `${cluster.name} schema registry`
  const { url } = schemaRegistry
  try {
    const response = await fetch(`${url}/subjects?limit=1`, {
      headers: await headersOf(schemaRegistry),
      // it would take the credential with it
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body?.cancel()
    if (response.ok) return [ok(name, `${url} lets this client in`)]
    return [failed(name, `${url} answers ${response.status}`, nextAfter(response.status, connection, schemaRegistry))]
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const code = isLate ? 'ETIMEDOUT' : networkCode(error)
    if (code !== undefined) return [failed(name, `${url} does not answer (${code})`, nextAfterNetwork(code))]
    const { found, next } = failureOf(error)
    return [failed(name, found, next)]
  }
}
