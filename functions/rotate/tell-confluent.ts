import { refreshKeys } from '../../shared/clusters/confluent/identity-providers.ts'
import { type CloudKey, createManagementApi } from '../../shared/clusters/confluent/management-api.ts'
import type { InForce } from './in-force.ts'

export type TellConfluentDeps = {
  readonly inForce: () => Promise<Pick<InForce, 'directories'>>
  /** @throws Error naming the secret, never its content */
  readonly readKey: (secretId: string) => Promise<CloudKey>
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly wait: (ms: number) => Promise<unknown>
}

/**
 * Has Confluent Cloud read our keys again, for every identity provider that the policy knows with a Cloud API key.
 * @returns ids of the keys that each of them has now, as far as it says
 * @throws ConfluentError when one of them has not
 */
export const createTellConfluent =
  ({ inForce, readKey, url, fetch, wait }: TellConfluentDeps) =>
  async (): Promise<readonly ReadonlySet<string>[]> => {
    const { directories } = await inForce()
    const providers = new Map<string, string>()
    for (const { clusters } of directories)
      for (const cluster of clusters.values())
        if (
          cluster.provider === 'confluent' &&
          cluster.identityProvider !== undefined &&
          cluster.cloudSecret !== undefined
        )
          providers.set(cluster.identityProvider, cluster.cloudSecret)
    const read: ReadonlySet<string>[] = []
    for (const [provider, secret] of providers) {
      const api = createManagementApi({ fetch, url, key: await readKey(secret), wait })
      const kids = await refreshKeys(api, provider)
      if (kids !== undefined) read.push(kids)
    }
    return read
  }
