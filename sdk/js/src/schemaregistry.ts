import type { BasicAuthCredentials, BearerAuthCredentials, ClientConfig } from '@confluentinc/schemaregistry'
import { SwitchboardError } from './errors.ts'
import type { Connection, SchemaRegistry } from './lease.ts'

/** What `SchemaRegistryClient.newClient()` takes. */
export type SchemaRegistryConfig = Pick<
  ClientConfig,
  'baseURLs' | 'basicAuthCredentials' | 'bearerAuthCredentials' | 'createAxiosDefaults'
>

type Transform = (data: unknown, headers: { readonly set: (name: string, value: string) => unknown }) => unknown

/** What prints itself ends in somebody's log. */
const hidden = <T extends object, Name extends string>(target: T, name: Name, get: () => string) =>
  Object.defineProperty(target, name, { enumerable: false, get }) as T & { readonly [Key in Name]: string }

/** @throws SwitchboardError `credential_ended` when the token is over: it takes a moment to have another one */
const tokenNow = (registry: SchemaRegistry): string => {
  const token = registry.token()
  if (typeof token === 'string') return token
  // the next request has it
  token.catch(() => undefined)
  throw new SwitchboardError(
    'credential_ended',
    `the credential for the schema registry at \`${registry.url}\` is over and is being renewed`,
    { retryable: true },
  )
}

const userInfoOf = (registry: SchemaRegistry): string => {
  const { credential } = registry
  return credential.kind === 'basic' ? `${credential.username}:${registry.password()}` : ''
}

const authorizationOf = (registry: SchemaRegistry): string =>
  registry.credential.kind === 'jwt'
    ? `Bearer ${tokenNow(registry)}`
    : `Basic ${Buffer.from(userInfoOf(registry)).toString('base64')}`

/** The client has its token once and for all; this is where a request can still be given another. */
const withCredentialOfNow =
  (registry: SchemaRegistry): Transform =>
  (data, headers) => {
    headers.set('Authorization', authorizationOf(registry))
    return data === undefined || typeof data === 'string' ? data : JSON.stringify(data)
  }

/**
 * The schema registry of a connection as the client of `@confluentinc/schemaregistry` takes it. The client stays yours;
 * each of its requests has the credential that is good then.
 *
 * @example
 * ```ts
 * const client = SchemaRegistryClient.newClient(schemaRegistry(lease.connection()))
 * const serializer = new AvroSerializer(client, SerdeType.VALUE, { useLatestVersion: true })
 * ```
 *
 * @throws {SwitchboardError} `unsupported` when the cluster has no schema registry or no grant gives it
 */
export const schemaRegistry = ({ cluster, schemaRegistry: registry }: Connection): SchemaRegistryConfig => {
  if (registry === undefined)
    throw new SwitchboardError(
      'unsupported',
      `the lease has no schema registry on cluster \`${cluster.name}\`; expected a grant with \`schemas\``,
    )
  const { url, logicalCluster = '', identityPoolId = '', credential } = registry
  const common = { baseURLs: [url], createAxiosDefaults: { transformRequest: [withCredentialOfNow(registry)] } }
  if (credential.kind === 'basic') {
    const basic: BasicAuthCredentials = { credentialsSource: 'USER_INFO' }
    return { ...common, basicAuthCredentials: hidden(basic, 'userInfo', () => userInfoOf(registry)) }
  }
  const bearer: BearerAuthCredentials = { credentialsSource: 'STATIC_TOKEN', logicalCluster, identityPoolId }
  return { ...common, bearerAuthCredentials: hidden(bearer, 'token', () => tokenNow(registry)) }
}
