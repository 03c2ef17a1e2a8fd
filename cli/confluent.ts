import { setTimeout as delay } from 'node:timers/promises'
import {
  ensureIdentityPools,
  ensureIdentityProvider,
  refreshKeys,
} from '../shared/clusters/confluent/identity-providers.ts'
import {
  type CloudKey,
  ConfluentError,
  createManagementApi,
  type ManagementApi,
} from '../shared/clusters/confluent/management-api.ts'
import { ensureRegistryRoles } from '../shared/clusters/confluent/role-bindings.ts'
import { ensureServiceAccounts, serviceAccountName } from '../shared/clusters/confluent/service-accounts.ts'
import type { ConfluentCluster } from '../shared/domain/cluster.ts'
import type { Directory } from '../shared/domain/directory.ts'
import { identityPoolFor } from '../shared/domain/identity-pool.ts'
import { kafkaUser } from '../shared/domain/principal.ts'
import { principalsNamedOn } from '../shared/domain/reach.ts'
import { registryRoles } from '../shared/domain/registry-roles.ts'
import { CommandError } from './command-error.ts'

export type ConfluentSetup = {
  readonly cluster: string
  /** Only where the cluster takes `jwt`. */
  readonly identityProvider?: string
  /** Principal -> pool, as the policy has them. */
  readonly identityPools: Readonly<Record<string, string>>
  /** Principal -> service account; only where the cluster takes `api-key`. */
  readonly serviceAccounts: Readonly<Record<string, string>>
}

export type ConfluentDeps = {
  readonly issuerUrl: string
  readonly key: CloudKey
  /** @default - Confluent Cloud's own */
  readonly url: string | undefined
  readonly fetch: typeof globalThis.fetch
  readonly now: Date
  readonly report: (line: string) => void
}

/** @throws CommandError when there is no key: the names are those of Confluent's own tools */
export const cloudKeyOf = ({ CONFLUENT_CLOUD_API_KEY: key, CONFLUENT_CLOUD_API_SECRET: secret }: NodeJS.ProcessEnv) => {
  if (!key || !secret)
    throw new CommandError('set CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET to a Cloud API key', 2)
  return { key, secret }
}

const confluentCluster = ({ clusters }: Directory, name: string | undefined): ConfluentCluster => {
  const found = [...clusters.values()].filter((each) => each.provider === 'confluent')
  const names = found.map((each) => `\`${each.name}\``).join(', ') || 'none'
  if (name === undefined && found.length > 1)
    throw new CommandError(`the policy has several Confluent clusters; name one with --cluster: ${names}`, 2)
  const cluster = found.find((each) => name === undefined || each.name === name)
  if (cluster !== undefined) return cluster
  throw new CommandError(`--cluster takes a Confluent cluster of the policy (${names}), got \`${name ?? ''}\``, 2)
}

const byPrincipal = (principals: readonly string[], made: readonly { readonly id: string }[]) =>
  Object.fromEntries(principals.flatMap((name, at) => (made[at] === undefined ? [] : [[name, made[at].id]])))

/** Ends with Confluent reading our keys again. */
const setUpTokens = async (
  api: ManagementApi,
  { cluster, principals, kafkaUserPrefix }: SetupParts,
  { issuerUrl, report }: ConfluentDeps,
): Promise<Pick<ConfluentSetup, 'identityProvider' | 'identityPools'>> => {
  const jwksUri = `${issuerUrl.replace(/\/$/, '')}/.well-known/jwks.json`
  const provider = await ensureIdentityProvider(api, { issuerUrl, jwksUri })
  report(`identity provider ${provider.id}: ${provider.outcome}`)
  const wanted = principals.map((name) => identityPoolFor(cluster, name, { issuerUrl, kafkaUserPrefix }))
  const pools = await ensureIdentityPools(api, provider.id, wanted)
  for (const [at, name] of principals.entries())
    report(`identity pool ${pools[at]?.id} of ${name}: ${pools[at]?.outcome}`)
  await refreshKeys(api, provider.id)
  report('Confluent has read our keys')
  return { identityProvider: provider.id, identityPools: byPrincipal(principals, pools) }
}

/**
 * What pools or service accounts may do at the schema registry of the cluster: Confluent asks for a role there besides the
 * token or the API key.
 */
const setUpRegistry = async (
  api: ManagementApi,
  { cluster, directory }: SetupParts,
  { identityPools, serviceAccounts }: Pick<ConfluentSetup, 'identityPools' | 'serviceAccounts'>,
  { now, report }: ConfluentDeps,
): Promise<void> => {
  const { schemaRegistry: registry } = cluster
  if (registry === undefined || registry.kind === 'basic') return
  const users = registry.kind === 'jwt' ? identityPools : serviceAccounts
  const wanted = Object.entries(users).map(([principal, user]) => ({
    user,
    roles: registryRoles(directory, cluster.name, principal, now),
  }))
  const place = { id: registry.id, environment: cluster.environment }
  for (const { user, role, outcome } of await ensureRegistryRoles(api, place, wanted))
    report(
      outcome === 'left'
        ? `role ${role} of ${user} at ${registry.id}: no grant gives it; take it away in Confluent Cloud when no lease needs it`
        : `role ${role} of ${user} at ${registry.id}: ${outcome}`,
    )
}

const setUpApiKeys = async (
  api: ManagementApi,
  { cluster, principals, kafkaUserPrefix }: SetupParts,
  { report }: ConfluentDeps,
): Promise<Readonly<Record<string, string>>> => {
  const names = principals.map((name) => serviceAccountName(cluster.name, kafkaUser(kafkaUserPrefix, name)))
  const accounts = await ensureServiceAccounts(api, names)
  for (const [at, name] of principals.entries())
    report(`service account ${accounts[at]?.id} of ${name}: ${accounts[at]?.outcome}`)
  return byPrincipal(principals, accounts)
}

type SetupParts = {
  readonly directory: Directory
  readonly cluster: ConfluentCluster
  readonly principals: readonly string[]
  readonly kafkaUserPrefix: string
}

/**
 * Makes what a policy needs to name for each principal that a grant names and leads to the cluster: with `jwt` an identity
 * provider that trusts this stack's tokens and a pool, with `api-key` a service account, and their roles at a schema registry.
 * Repeating it changes nothing.
 * @throws CommandError
 */
export const setUpConfluent = async (
  directory: Directory,
  clusterName: string | undefined,
  deps: ConfluentDeps,
): Promise<ConfluentSetup> => {
  const { key, url, fetch, now } = deps
  const cluster = confluentCluster(directory, clusterName)
  const { kafkaUserPrefix } = directory
  const parts = { directory, cluster, principals: principalsNamedOn(directory, cluster.name, now), kafkaUserPrefix }
  const api = createManagementApi({ fetch, url, key, wait: delay })
  try {
    const tokens = cluster.auth.includes('jwt') ? await setUpTokens(api, parts, deps) : { identityPools: {} }
    const serviceAccounts = cluster.auth.includes('api-key') ? await setUpApiKeys(api, parts, deps) : {}
    await setUpRegistry(api, parts, { ...tokens, serviceAccounts }, deps)
    return { cluster: cluster.name, ...tokens, serviceAccounts }
  } catch (error) {
    if (error instanceof ConfluentError)
      throw new CommandError(`${error.message}; what was made is found again when you run this again`)
    throw error
  }
}

/** What goes into the policy. */
export const renderConfluentSetup = ({
  cluster,
  identityProvider,
  identityPools,
  serviceAccounts,
}: ConfluentSetup): readonly string[] => {
  const table = (member: string, ids: Readonly<Record<string, string>>): readonly string[] =>
    Object.keys(ids).length === 0
      ? []
      : [`    ${member}:`, ...Object.entries(ids).map(([principal, id]) => `      ${JSON.stringify(principal)}: ${id}`)]
  return [
    '',
    `into the policy, below \`clusters.${cluster}\`:`,
    ...(identityProvider === undefined ? [] : [`    identityProvider: { id: ${identityProvider} }`]),
    ...table('identityPools', identityPools),
    ...table('serviceAccounts', serviceAccounts),
  ]
}
