import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { readStackState } from '../../local/state.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import type { AdminCredential, Cluster } from '../../shared/domain/cluster.ts'
import { canLogIn, stayLoggedIn, untilLogin } from '../fixtures/kafka-login.ts'

// Against a real broker, for the wire and what a broker makes of it are all there is to this adapter.

const { clusters } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const { inside, admin: credential } = clusters.payments
const cluster: Cluster = { ...knownCluster('payments', inside), auth: [] }
const admin = createScramAdmin(cluster, credential)
const made = new Set<string>()
const some = (name: string): string => {
  const unique = `scram-${randomUUID().slice(0, 8)}-${name}`
  made.add(unique)
  return unique
}
const login = (username: string, password: string) => ({ bootstrap: inside, username, password })

afterAll(async () => {
  await admin.remove([...made])
  await admin.close()
})

test('a user that was upserted logs in with its password and no other', async () => {
  const name = some('a')

  expect(await admin.upsert([{ name, password: 'right' }])).toEqual(new Map([[name, { done: true }]]))

  await untilLogin(login(name, 'right'), true)
  expect(await canLogIn(login(name, 'wrong'))).toBe(false)
})

test('a second upsert replaces the password', async () => {
  const name = some('a')
  await admin.upsert([{ name, password: 'before' }])
  await untilLogin(login(name, 'before'), true)

  await admin.upsert([{ name, password: 'after' }])

  await untilLogin(login(name, 'after'), true)
  await untilLogin(login(name, 'before'), false)
})

test.each(['sb.orders-api.a', 'with space', 'one=two,three', 'quote\'"\\'])(
  'the name and the password `%s` work as they are',
  async (text) => {
    const name = some(text)

    await admin.upsert([{ name, password: text }])

    await untilLogin(login(name, text), true)
  },
)

test('a password may hold anything, for its UTF-8 is what counts', async () => {
  const name = some('a')
  const password = 'ünï-كافكا-🔑 \u00ad'

  await admin.upsert([{ name, password }])

  await untilLogin(login(name, password), true)
})

test('a name beyond ASCII is refused, for Kafka would store it and never let it in', async () => {
  const [name, other] = [some('ünï'), some('a')]

  const outcomes = await admin.upsert([
    { name, password: 'p' },
    { name: other, password: 'p' },
  ])

  expect(outcomes.get(name)).toMatchObject({ done: false, error: { code: 'unacceptable', isRetryable: false } })
  expect(outcomes.get(other)).toEqual({ done: true })
  expect((await admin.describe([name, other])).has(name)).toBe(false)
})

test('a removed user is refused at the next login, and its open connection lives on', async () => {
  const name = some('a')
  await admin.upsert([{ name, password: 'p' }])
  await untilLogin(login(name, 'p'), true)
  const open = await stayLoggedIn(login(name, 'p'))

  expect(await admin.remove([name])).toEqual(new Map([[name, { done: true }]]))

  await untilLogin(login(name, 'p'), false)
  expect(await open.isAlive()).toBe(true)
  await open.close()
})

test('removing what is not there succeeds, also beside what is', async () => {
  const [present, missing] = [some('present'), some('missing')]
  await admin.upsert([{ name: present, password: 'p' }])

  const outcomes = await admin.remove([missing, present])

  expect(outcomes).toEqual(
    new Map([
      [missing, { done: true }],
      [present, { done: true }],
    ]),
  )
  expect(await admin.describe([present, missing])).toEqual(new Map())
})

test('one user that Kafka refuses takes no other along', async () => {
  const [first, last] = [some('first'), some('last')]

  const outcomes = await admin.upsert([
    { name: first, password: 'p' },
    { name: '', password: 'p' },
    { name: last, password: 'p' },
  ])

  expect(outcomes.get(first)).toEqual({ done: true })
  expect(outcomes.get(last)).toEqual({ done: true })
  expect(outcomes.get('')).toMatchObject({
    done: false,
    error: { code: 'unacceptable', kafkaCode: 'UNACCEPTABLE_CREDENTIAL', isRetryable: false },
  })
  await untilLogin(login(last, 'p'), true)
})

test('users and their mechanisms can be described, one by one or all', async () => {
  const name = some('a')
  await admin.upsert([{ name, password: 'p' }])
  await untilLogin(login(name, 'p'), true)

  expect(await admin.describe([name, some('missing')])).toEqual(new Map([[name, ['SCRAM-SHA-512']]]))
  const all = await admin.describe()
  expect(all.get(name)).toEqual(['SCRAM-SHA-512'])
  expect(all.get('admin')).toEqual(['SCRAM-SHA-512'])
  expect(await admin.describe([])).toEqual(new Map())
})

test('1,200 users go in two requests and come back done in the order of the call', async () => {
  const users = Array.from({ length: 1_200 }, (_, at) => ({ name: some(String(at)), password: `p${at}` }))
  const names = users.map(({ name }) => name)

  const outcomes = await admin.upsert(users)

  expect([...outcomes.keys()]).toEqual(names)
  expect([...outcomes.values()].every(({ done }) => done)).toBe(true)
  await untilLogin(login(names[1_199] ?? '', 'p1199'), true)
  await admin.remove(names)
  expect((await admin.describe(names)).size).toBe(0)
})

describe('the errors say whether another try may help', () => {
  const as = (other: AdminCredential) => createScramAdmin(cluster, other)

  test('a user who may not alter the cluster: `not_allowed`', async () => {
    const name = some('nobody')
    await admin.upsert([{ name, password: 'p' }])
    await untilLogin(login(name, 'p'), true)
    const nobody = as({ username: name, password: 'p', mechanism: 'SCRAM-SHA-512' })

    const outcome = (await nobody.upsert([{ name: some('a'), password: 'p' }])).values().next().value

    expect(outcome).toMatchObject({
      done: false,
      error: { code: 'not_allowed', kafkaCode: 'CLUSTER_AUTHORIZATION_FAILED', isRetryable: false },
    })
    await expect(nobody.describe()).rejects.toMatchObject({ code: 'not_allowed' })
    await expect(nobody.describe([name])).rejects.toMatchObject({ code: 'not_allowed' })
    await nobody.close()
  })

  test('an admin whose password is wrong: `not_allowed`', async () => {
    const stranger = as({ ...credential, password: 'wrong' })

    const outcome = (await stranger.remove([some('a')])).values().next().value

    expect(outcome).toMatchObject({ done: false, error: { code: 'not_allowed', isRetryable: false } })
    await stranger.close()
  })
})
