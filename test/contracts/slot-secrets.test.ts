import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { DeleteSecretCommand, DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { type Credential, newCredential, type Slot } from '../../shared/domain/rotation.ts'
import { createSlotSecrets, slotSecretName } from '../../shared/secrets/slot-secrets.ts'
import { now } from '../fixtures/policies.ts'

// What the loopback in `test/secrets` takes for granted of Secrets Manager, on the emulator. One thing it does not do as
// AWS does: a used token with another text overwrites, so that two writers at once are told apart by the loopback alone.

const { aws, caFile } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(caFile, 'utf8'))
const client = new SecretsManagerClient({
  endpoint: aws.endpointUrl,
  region: aws.region,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
})
const store = createSlotSecrets(client)
const principal = `contract-${randomUUID().slice(0, 8)}`
const name = slotSecretName('main', principal)

const slot = (state: Slot['state'], generation: number): Slot => ({
  state,
  since: now,
  generation,
  health: 'unprobed',
  checkedAt: now,
  toldAt: now,
})
const aCredential = (a: Slot, b: Slot): Credential => ({ ...newCredential(principal, 'main'), slots: { a, b } })

afterAll(async () => {
  await client.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery: true }))
  client.destroy()
})

test('a secret lives from its first password to its deletion, and once more', async () => {
  expect(await store.read('main', principal)).toEqual({})

  const first = aCredential(slot('created', 1), slot('absent', 0))
  const a = await store.ensure(first, 'a', 'sb.x@a')
  expect(await store.ensure(first, 'a', 'sb.x@a')).toEqual(a)

  const second = aCredential(slot('active', 1), slot('created', 1))
  const b = await store.ensure(second, 'b', 'sb.x@b')
  expect(await store.ensure(second, 'b', 'sb.x@b')).toEqual(b)
  expect(await store.read('main', principal)).toEqual({ a, b })

  await store.removeSlot(aCredential(slot('fenced', 1), slot('absent', 1)), 'a')
  expect(await store.read('main', principal)).toEqual({})
  expect((await client.send(new DescribeSecretCommand({ SecretId: name }))).DeletedDate).toBeInstanceOf(Date)
  await store.removeSlot(aCredential(slot('fenced', 1), slot('absent', 1)), 'a')

  expect(await store.recover('main', principal)).toEqual({ a, b })
  await store.removeSlot(aCredential(slot('fenced', 1), slot('absent', 1)), 'a')

  const again = await store.ensure(aCredential(slot('created', 2), slot('absent', 1)), 'a', 'sb.x@a')
  expect(await store.read('main', principal)).toEqual({ a: again })
})
