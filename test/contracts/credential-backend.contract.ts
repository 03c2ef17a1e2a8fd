import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BackendUser, CredentialBackend } from '../../shared/clusters/credential-backend.ts'

export type OpenedBackend = {
  readonly backend: CredentialBackend
  /** Names of two users that nobody has yet. */
  readonly names: readonly [string, string]
  /** What is saved before the cluster is told. */
  readonly save: (name: string) => Promise<BackendUser>
  /** The same, without a way to the brokers. */
  readonly away: CredentialBackend
  /** The same, with an admin that the cluster does not know. */
  readonly stranger: CredentialBackend
  readonly close: () => Promise<void>
}

/** What every backend of stored credentials keeps to, with real brokers. */
export const describeCredentialBackend = (title: string, open: () => Promise<OpenedBackend>): void => {
  describe(title, () => {
    let opened: OpenedBackend
    let backend: CredentialBackend
    let users: readonly BackendUser[]
    beforeAll(async () => {
      opened = await open()
      backend = opened.backend
    })
    afterAll(async () => {
      await backend.revoke(opened.names)
      await opened.close()
    })
    const only = (outcome: string, ...names: readonly string[]) => new Map(names.map((name) => [name, { outcome }]))

    test('has room for whoever has no user yet', async () => {
      expect(await backend.look(opened.names)).toEqual(only('free', ...opened.names))
    })

    test('takes many at once, as often as it is told, and lets them in by their password alone', async () => {
      users = await Promise.all(opened.names.map(opened.save))

      expect(await backend.create(users)).toEqual(only('done', ...opened.names))
      expect(await backend.create(users)).toEqual(only('done', ...opened.names))

      await expect.poll(() => backend.verify(users)).toEqual(only('works', ...opened.names))
      const wrong = users.map((user) => ({ ...user, password: 'wrong' }))
      expect(await backend.verify(wrong)).toEqual(only('refused', ...opened.names))
    })

    test('that cannot be reached says nothing of a login', async () => {
      expect(await opened.away.verify(users)).toEqual(only('unreachable', ...opened.names))
    })

    test('fails for everybody, each by itself, where the admin is not let in', async () => {
      const denied = { outcome: 'failed', reason: 'cluster_denied' }
      for (const outcomes of [await opened.stranger.look(opened.names), await opened.stranger.revoke(opened.names)])
        for (const name of opened.names) expect(outcomes.get(name)).toMatchObject(denied)
    })

    test('forgets who is revoked and nobody else, and who is not there is revoked too', async () => {
      const [a, b] = opened.names

      expect(await backend.revoke([a])).toEqual(only('done', a))
      expect(await backend.revoke([a])).toEqual(only('done', a))

      await expect.poll(() => backend.verify(users)).toEqual(new Map([...only('refused', a), ...only('works', b)]))
    })
  })
}
