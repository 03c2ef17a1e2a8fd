import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { readStackState } from '../../local/state.ts'
import { createKafkaScramBackend } from '../../shared/clusters/kafka/scram-backend.ts'
import type { Cluster, Listener } from '../../shared/domain/cluster.ts'
import { slotUser } from '../../shared/domain/principal.ts'

// The contract of `shared/clusters/scram-backend.ts` on a real broker.

const { clusters, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { inside, outside, admin } = clusters.payments
const clusterAt = (listener: Partial<Listener>): Cluster => ({
  name: 'payments',
  provider: 'kafka',
  auth: ['scram'],
  listeners: [{ name: 'inside', network: undefined, bootstrap: inside, security: 'SASL_PLAINTEXT', ...listener }],
  ca: readFileSync(caFile, 'utf8'),
  audience: undefined,
  labels: {},
  adminSecret: undefined,
  credential: 'value',
  rotation: {},
  quarantined: false,
})
const backend = createKafkaScramBackend(clusterAt({}), admin)
const principal = `backend-${randomUUID().slice(0, 8)}`
const [a, b] = [slotUser('sb.', principal, 'a'), slotUser('sb.', principal, 'b')]
const only = (outcome: string, ...names: readonly string[]) => new Map(names.map((name) => [name, { outcome }]))

afterAll(async () => {
  await backend.revoke([a, b])
  await backend.close()
})

describe('a cluster that keeps its own users', () => {
  test('says which names are taken, by whomever', async () => {
    expect(await backend.look([a, b])).toEqual(only('free', a, b))

    await backend.create([{ name: a, password: 'of somebody else' }])

    await expect.poll(() => backend.look([a])).toEqual(only('taken', a))
    expect(await backend.look([b])).toEqual(only('free', b))
  })

  test('takes many at once and lets them in by their password alone', async () => {
    const users = [
      { name: a, password: 'right' },
      { name: b, password: 'right' },
    ]

    expect(await backend.create(users)).toEqual(only('done', a, b))
    expect(await backend.create(users)).toEqual(only('done', a, b))

    await expect.poll(() => backend.verify(users)).toEqual(only('works', a, b))
    expect(await backend.verify([{ name: a, password: 'wrong' }])).toEqual(only('refused', a))
  })

  test('is logged in to over TLS where its listener has that', async () => {
    const outer = createKafkaScramBackend(clusterAt({ bootstrap: outside, security: 'SASL_SSL' }), admin)

    await expect.poll(() => outer.verify([{ name: a, password: 'right' }])).toEqual(only('works', a))

    await outer.close()
  })

  test('forgets who is revoked, and who is not there is revoked too', async () => {
    expect(await backend.revoke([a, `${a}x`])).toEqual(only('done', a, `${a}x`))

    await expect.poll(() => backend.verify([{ name: a, password: 'right' }])).toEqual(only('refused', a))
    await expect.poll(() => backend.verify([{ name: b, password: 'right' }])).toEqual(only('works', b))
  })

  test('that cannot be reached says nothing of a login, and fails what it is asked to change', async () => {
    const away = createKafkaScramBackend(clusterAt({ bootstrap: '127.0.0.1:1' }), admin)

    expect(await away.verify([{ name: a, password: 'right' }])).toEqual(only('unreachable', a))
    const unavailable = { outcome: 'failed', reason: 'cluster_unavailable' }
    expect((await away.create([{ name: a, password: 'right' }])).get(a)).toMatchObject(unavailable)
    expect((await away.look([a])).get(a)).toMatchObject(unavailable)

    await away.close()
  })

  test('that does not let the admin in fails for everybody', async () => {
    const stranger = createKafkaScramBackend(clusterAt({}), { ...admin, password: 'wrong' })

    expect((await stranger.create([{ name: a, password: 'right' }])).get(a)).toMatchObject({
      outcome: 'failed',
      reason: 'cluster_denied',
    })

    await stranger.close()
  })
})
