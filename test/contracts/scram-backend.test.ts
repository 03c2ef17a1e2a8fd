import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { readStackState } from '../../local/state.ts'
import { createKafkaScramBackend } from '../../shared/clusters/kafka/scram-backend.ts'
import type { Cluster, Listener } from '../../shared/domain/cluster.ts'
import { slotUser } from '../../shared/domain/principal.ts'
import { describeCredentialBackend } from './credential-backend.contract.ts'

// The contract of `shared/clusters/credential-backend.ts` on a real broker.

const { clusters, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { inside, outside, admin } = clusters.payments
const clusterAt = (listener: Partial<Listener>): Cluster => ({
  ...knownCluster('payments', inside),
  auth: ['scram'],
  listeners: [{ name: 'inside', network: undefined, bootstrap: inside, security: 'SASL_PLAINTEXT', ...listener }],
  ca: readFileSync(caFile, 'utf8'),
})
const backend = createKafkaScramBackend(clusterAt({}), admin)
const principal = `backend-${randomUUID().slice(0, 8)}`
const [a, b] = [slotUser('sb.', principal, 'a'), slotUser('sb.', principal, 'b')]
const only = (outcome: string, ...names: readonly string[]) => new Map(names.map((name) => [name, { outcome }]))

afterAll(async () => {
  await backend.revoke([a, b])
  await backend.close()
})

describeCredentialBackend('users that a cluster of Kafka keeps itself', async () => {
  const name = `backend-${randomUUID().slice(0, 8)}`
  const opened = createKafkaScramBackend(clusterAt({}), admin)
  const away = createKafkaScramBackend(clusterAt({ bootstrap: '127.0.0.1:1' }), admin)
  const stranger = createKafkaScramBackend(clusterAt({}), { ...admin, password: 'wrong' })
  return {
    backend: opened,
    names: [slotUser('sb.', name, 'a'), slotUser('sb.', name, 'b')],
    save: async (user) => ({ name: user, username: user, password: randomUUID() }),
    away,
    stranger,
    close: async () => {
      for (const each of [opened, away, stranger]) await each.close()
    },
  }
})

describe('a cluster that keeps its own users', () => {
  test('says which names are taken, by whomever', async () => {
    expect(await backend.look([a, b])).toEqual(only('free', a, b))

    await backend.create([{ name: a, username: a, password: 'of somebody else' }])

    await expect.poll(() => backend.look([a])).toEqual(only('taken', a))
    expect(await backend.look([b])).toEqual(only('free', b))
  })

  test('is logged in to over TLS where its listener has that', async () => {
    const outer = createKafkaScramBackend(clusterAt({ bootstrap: outside, security: 'SASL_SSL' }), admin)
    await outer.create([{ name: a, username: a, password: 'right' }])

    await expect.poll(() => outer.verify([{ name: a, username: a, password: 'right' }])).toEqual(only('works', a))

    await outer.close()
  })

  test('that cannot be reached fails what it is asked to change', async () => {
    const away = createKafkaScramBackend(clusterAt({ bootstrap: '127.0.0.1:1' }), admin)

    const unavailable = { outcome: 'failed', reason: 'cluster_unavailable' }
    expect((await away.create([{ name: a, username: a, password: 'right' }])).get(a)).toMatchObject(unavailable)
    expect((await away.look([a])).get(a)).toMatchObject(unavailable)

    await away.close()
  })
})
