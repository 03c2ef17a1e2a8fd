import * as z from 'zod'
import { type ConfluentCluster, registryOfKeys } from '../../domain/cluster.ts'
import { confluentSecretName, registryKeySecretName } from '../../domain/confluent-secret-name.ts'
import { CredentialError } from '../../domain/credential-error.ts'
import type { FailureReason } from '../../domain/failure-reason.ts'
import type { SlotPlace } from '../../domain/slot-place.ts'
import { ConfluentError, type ManagementApi } from './management-api.ts'

const keysPath = '/iam/v2/api-keys'
const quotaPath =
  '/service-quota/v1/applied-quotas?scope=SERVICE_ACCOUNT&id=iam.max_cluster_api_keys.per_service_account'

const keySchema = z.object({
  id: z.string().min(1),
  spec: z.object({
    display_name: z.string().nullish(),
    description: z.string().nullish(),
    owner: z.object({ id: z.string() }),
    resource: z.object({ id: z.string() }).nullish(),
  }),
})
const madeSchema = z.object({ id: z.string().min(1), spec: z.object({ secret: z.string().min(1) }) })
const quotaSchema = z.object({
  applied_limit: z.int().nullish(),
  user: z.object({ id: z.string() }).nullish(),
})

type Key = z.infer<typeof keySchema>

/** @see https://docs.confluent.io/cloud/current/api.html */
const reasonOf = ({ status = 503 }: ConfluentError): FailureReason => {
  if (status === 401 || status === 403) return 'cluster_denied'
  if (status === 402) return 'cluster_full'
  return status === 429 || status >= 500 ? 'cluster_unavailable' : 'cluster_failed'
}

/** The API keys of the slots on one cluster or at its schema registry, and how many more their owners may have. */
export type ConfluentSlotKeys = {
  /** @throws CredentialError when the policy has no service account for the principal, or no schema registry that takes keys */
  readonly ownerOf: (principal: string) => {
    readonly serviceAccountId: string
    readonly resourceId: string
    readonly environmentId: string
  }
  /**
   * Ids of the keys that were made for the slot.
   * @throws CredentialError `secret_foreign` when one of them is called otherwise than the slot's user
   */
  readonly made: (place: SlotPlace, user: string) => Promise<readonly string[]>
  readonly make: (place: SlotPlace, user: string) => Promise<{ readonly apiKey: string; readonly apiSecret: string }>
  /** A list of keys may be older than a key. */
  readonly isThere: (apiKey: string) => Promise<boolean>
  /** What is not there counts as removed. */
  readonly remove: (apiKey: string) => Promise<void>
  /** Keys of clusters that the owner has besides those of the slot, and how many it may have; undefined: Confluent says no number. */
  readonly used: (place: SlotPlace) => Promise<{ readonly others: number; readonly limit: number | undefined }>
}

/** What a key opens. */
type Resource = {
  /** Undefined: no new key is made. */
  readonly id: string | undefined
  readonly isOne: (id: string | undefined) => boolean
  /** Where its keys are saved. */
  readonly secretName: (stack: string, place: SlotPlace) => string
}

const resourceOf = (
  cluster: Pick<ConfluentCluster, 'id' | 'schemaRegistry'>,
  kind: 'cluster' | 'registry',
): Resource => {
  if (kind === 'cluster') return { id: cluster.id, isOne: (id) => id === cluster.id, secretName: confluentSecretName }
  return {
    id: registryOfKeys(cluster)?.id,
    // keys of the registry that the policy had before are to be found too, and the description says whose they are
    isOne: (id) => id?.startsWith('lsrc-') === true,
    secretName: registryKeySecretName,
  }
}

/**
 * A key is ours by all of: its owner, the principal's service account; its cluster, or that it is of a schema registry; its
 * description, the name of the secret that it is in, which has stack, cluster, principal and slot; and its name, that of the
 * slot's user.
 *
 * Each call but `ownerOf` fails with a `CredentialError`.
 */
export const createConfluentSlotKeys = (
  cluster: Pick<ConfluentCluster, 'name' | 'id' | 'environment' | 'schemaRegistry'> & {
    readonly serviceAccounts: Pick<ConfluentCluster['serviceAccounts'], 'get'>
  },
  kind: 'cluster' | 'registry',
  stack: string,
  open: () => Promise<ManagementApi>,
): ConfluentSlotKeys => {
  const { name, environment: environmentId = '', serviceAccounts } = cluster
  const resource = resourceOf(cluster, kind)

  const accountOf = (principal: string): string => {
    const account = serviceAccounts.get(principal)
    if (account !== undefined) return account
    throw new CredentialError('cluster_failed', `\`${principal}\` has no service account on \`${name}\` in the policy`)
  }

  const ownerOf: ConfluentSlotKeys['ownerOf'] = (principal) => {
    if (resource.id !== undefined)
      return { serviceAccountId: accountOf(principal), resourceId: resource.id, environmentId }
    throw new CredentialError('cluster_failed', `\`${name}\` has no schema registry in the policy that takes API keys`)
  }

  const ask = async <T>(work: (api: ManagementApi) => Promise<T>): Promise<T> => {
    try {
      return await work(await open())
    } catch (error) {
      if (error instanceof CredentialError) throw error
      const reason = error instanceof ConfluentError ? reasonOf(error) : 'cluster_unavailable'
      throw new CredentialError(reason, error instanceof Error ? error.message : 'Confluent Cloud', { cause: error })
    }
  }

  const keysOf = (account: string): Promise<readonly Key[]> =>
    ask(async (api) => {
      const found = await api.list(`${keysPath}?spec.owner=${account}`, keySchema)
      return found.filter(({ spec }) => spec.owner.id === account)
    })

  const isOfSlot = ({ spec }: Key, place: SlotPlace): boolean =>
    resource.isOne(spec.resource?.id) && spec.description === resource.secretName(stack, place)

  let limits: Promise<readonly z.infer<typeof quotaSchema>[]> | undefined

  return {
    ownerOf,

    made: async (place, user) => {
      const keys = (await keysOf(accountOf(place.principal))).filter((key) => isOfSlot(key, place))
      const stranger = keys.find(({ spec }) => spec.display_name !== user)
      if (stranger !== undefined)
        throw new CredentialError('secret_foreign', `the API key \`${stranger.id}\` is not called \`${user}\``)
      return keys.map(({ id }) => id)
    },

    make: (place, user) => {
      const { serviceAccountId, resourceId } = ownerOf(place.principal)
      const spec = {
        display_name: user,
        description: resource.secretName(stack, place),
        owner: { id: serviceAccountId },
        resource: { id: resourceId, environment: environmentId },
      }
      return ask(async (api) => {
        const made = await api.send('POST', keysPath, { spec }, madeSchema)
        return { apiKey: made.id, apiSecret: made.spec.secret }
      })
    },

    isThere: async (apiKey) => {
      const found = await ask((api) => api.read(`${keysPath}/${encodeURIComponent(apiKey)}`, keySchema))
      return found !== undefined && found.spec.resource?.id === resource.id
    },

    remove: (apiKey) => ask((api) => api.remove(`${keysPath}/${encodeURIComponent(apiKey)}`)),

    used: async (place) => {
      const serviceAccountId = accountOf(place.principal)
      limits ??= ask((api) => api.list(quotaPath, quotaSchema))
      const [keys, quotas] = await Promise.all([keysOf(serviceAccountId), limits])
      const others = keys.filter((key) => key.spec.resource?.id.startsWith('lkc-') && !isOfSlot(key, place)).length
      const limit = quotas.find(({ user }) => user?.id === serviceAccountId)?.applied_limit
      return { others, limit: limit ?? undefined }
    },
  }
}
