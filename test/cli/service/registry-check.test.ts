import type { Connection, SchemaRegistry } from '@switchboard-kafka/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ok } from '../../../cli/service/checks.ts'
import { checkRegistry } from '../../../cli/service/registry-check.ts'
import {
  type Admit,
  type SchemaRegistry as RegistryServer,
  startSchemaRegistry,
} from '../../../local/schema-registry/registry.ts'

let registry: RegistryServer
let answer: Awaited<ReturnType<Admit>>
const sent: string[] = []

beforeEach(async () => {
  answer = 'admitted'
  sent.length = 0
  registry = await startSchemaRegistry({
    admit: async (headers) => {
      const { authorization, 'target-sr-cluster': target, 'confluent-identity-pool-id': pool } = headers
      sent.push([authorization, target, pool].join(' '))
      return answer
    },
  })
})

afterEach(() => registry.stop())

const unasked = () => {
  throw new Error('not asked for')
}
const byPassword = (): SchemaRegistry => ({
  url: registry.url,
  logicalCluster: undefined,
  identityPoolId: undefined,
  credential: { kind: 'basic', username: 'orders-api' },
  token: unasked,
  password: () => 'hunter2',
})
const byPool = (): SchemaRegistry => ({
  url: registry.url,
  logicalCluster: 'lsrc-1',
  identityPoolId: 'pool-1',
  credential: { kind: 'jwt', expiresAt: new Date() },
  token: async () => 'hunter2',
  password: unasked,
})
const byKey = (): SchemaRegistry => ({ ...byPassword(), credential: { kind: 'basic', username: 'KEY1' } })
const check = (schemaRegistry: SchemaRegistry | undefined) => {
  const isKey = schemaRegistry?.credential.kind === 'basic' && schemaRegistry.credential.username === 'KEY1'
  const cluster = { name: 'main', provider: isKey ? 'confluent' : 'kafka' }
  const credential = { kind: isKey ? 'api-key' : 'scram' }
  return checkRegistry({ cluster, credential, schemaRegistry } as Connection, fetch)
}

test('a cluster without a registry has nothing to check', async () => {
  expect(await check(undefined)).toEqual([])
})

test('a registry that lets the client in is asked as its client would ask', async () => {
  expect(await check(byPassword())).toEqual([ok('main schema registry', `${registry.url} lets this client in`)])
  expect(await check(byPool())).toMatchObject([{ outcome: 'ok' }])
  expect(sent).toEqual([
    `Basic ${Buffer.from('orders-api:hunter2').toString('base64')}  `,
    'Bearer hunter2 lsrc-1 pool-1',
  ])
})

test.each([
  ['unknown', byPassword, '401', 'no user `orders-api` with this password'],
  ['unknown', byPool, '401', 'the filter of the identity pool `pool-1`'],
  ['forbidden', byPassword, '403', 'lets the user read subjects'],
  ['forbidden', byPool, '403', 'gives the identity pool `pool-1` a role'],
  ['unknown', byKey, '401', 'does not know the API key `KEY1`: try again'],
  ['forbidden', byKey, '403', 'gives the service account a role on subjects: `switchboard confluent setup`'],
] as const)('a client that is %s is told what to do about it (%#)', async (outcome, how, status, next) => {
  answer = outcome
  const checks = await check(how())
  expect(checks).toMatchObject([
    { outcome: 'failed', found: `${registry.url} answers ${status}`, next: expect.stringContaining(next) },
  ])
  expect(JSON.stringify(checks)).not.toContain('hunter2')
})

test('a registry that is not there is said to be so', async () => {
  await registry.stop()
  expect(await check(byPassword())).toMatchObject([
    { outcome: 'failed', found: `${registry.url} does not answer (ECONNREFUSED)` },
  ])
})
