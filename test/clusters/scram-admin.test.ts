import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { knownCluster } from '../../local/kafka/known-cluster.ts'
import { createScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import type { Cluster } from '../../shared/domain/cluster.ts'

const closedPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = Object(server.address())
      server.close(() => resolve(port))
    })
  })

const openAdmin = async () => {
  const cluster: Cluster = { ...knownCluster('main', `127.0.0.1:${await closedPort()}`), auth: [] }
  return createScramAdmin(cluster, { username: 'admin', password: 'admins-password', mechanism: 'SCRAM-SHA-512' })
}

test('a cluster that does not answer leaves every user undone, and says so without a password', async () => {
  const admin = await openAdmin()
  const outcomes = await admin.upsert([
    { name: 'sb.a', password: 'first-password' },
    { name: 'sb.b', password: 'second-password' },
  ])

  expect([...outcomes.keys()]).toEqual(['sb.a', 'sb.b'])
  for (const outcome of outcomes.values()) {
    expect(outcome).toMatchObject({ done: false, error: { code: 'unavailable', isRetryable: true } })
    expect(inspect(outcome, { depth: 20, showHidden: true })).not.toMatch(/(first|second|admins)-password/)
  }
  expect(await admin.remove(['sb.c'])).toMatchObject(new Map([['sb.c', { done: false }]]))
  await expect(admin.describe()).rejects.toMatchObject({ code: 'unavailable' })
  await admin.close()
})

test('a user who is named twice is a mistake of the caller', async () => {
  const admin = await openAdmin()

  await expect(admin.remove(['sb.a', 'sb.b', 'sb.a'])).rejects.toThrow('a user can be named once, got `sb.a` twice')
  await expect(admin.upsert(['x', 'x'].map((name) => ({ name, password: 'p' })))).rejects.toThrow(TypeError)
  await admin.close()
})

test('nobody to alter is nothing to ask', async () => {
  const admin = await openAdmin()

  expect(await admin.upsert([])).toEqual(new Map())
  expect(await admin.remove([])).toEqual(new Map())
  await admin.close()
})
