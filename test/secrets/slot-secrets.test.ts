import { DeleteSecretCommand } from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Credential, newCredential, type Slot } from '../../shared/domain/rotation.ts'
import { createSlotSecrets, type SlotSecretStore } from '../../shared/secrets/slot-secrets.ts'
import { type LoopbackSecrets, startSecrets } from '../fixtures/loopback-secrets.ts'
import { now } from '../fixtures/policies.ts'

const name = 'switchboard/prod/credentials/main/billing/slots'
const slot = (state: Slot['state'], generation: number): Slot => ({
  state,
  since: now,
  generation,
  health: 'unprobed',
  checkedAt: now,
  toldAt: now,
})
const aCredential = (a: Slot, b: Slot = slot('absent', 0)): Credential => ({
  ...newCredential('billing', 'main'),
  slots: { a, b },
})
const first = aCredential(slot('created', 1))
const second = aCredential(slot('active', 1), slot('created', 1))
const secretText = /[A-Za-z0-9_-]{43}/

let aws: LoopbackSecrets
let store: SlotSecretStore

beforeEach(async () => {
  aws = await startSecrets()
  store = createSlotSecrets(aws.client, 'prod', 'the-key')
})

afterEach(() => aws.close())

const stored = () => JSON.parse(aws.text(name) ?? 'null')
const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error)

describe('the secret of a stored credential', () => {
  it('is made with the first password, under the key of the stack', async () => {
    const made = await store.ensure(first, 'a', 'sb.billing@a')

    expect(made).toEqual({ generation: 1, username: 'sb.billing@a', password: expect.stringMatching(secretText) })
    expect(stored()).toEqual({ a: made })
    expect(aws.kmsKeyOf(name)).toBe('the-key')
    expect(aws.calls.find(({ call }) => call === 'CreateSecret')?.input.Tags).toEqual([
      { Key: 'switchboard:cluster', Value: 'main' },
      { Key: 'switchboard:principal', Value: 'billing' },
    ])
  })

  it('is found without being read, and the version found is the one with the last password', async () => {
    expect(await store.locate('main', 'billing', 'a')).toBeUndefined()
    await store.ensure(first, 'a', 'sb.billing@a')
    const before = await store.locate('main', 'billing', 'a')
    await store.ensure(second, 'b', 'sb.billing@b')
    aws.calls.length = 0

    const found = await store.locate('main', 'billing', 'b')

    expect(found?.arn).toContain(`:secret:${name}-`)
    expect(found?.versionId).not.toBe(before?.versionId)
    expect(aws.names()).toEqual(['DescribeSecret'])
    await aws.client.send(new DeleteSecretCommand({ SecretId: name }))
    expect(await store.locate('main', 'billing', 'b')).toBeUndefined()
  })

  it('keeps the password of a generation, however often that is asked for', async () => {
    const made = await store.ensure(first, 'a', 'sb.billing@a')

    expect(await store.ensure(first, 'a', 'sb.billing@a')).toEqual(made)
    expect(aws.names()).toEqual(['GetSecretValue', 'CreateSecret', 'GetSecretValue'])
  })

  it('takes the next slot in one write and keeps the other', async () => {
    const a = await store.ensure(first, 'a', 'sb.billing@a')
    aws.calls.length = 0

    const b = await store.ensure(second, 'b', 'sb.billing@b')

    expect(b.password).not.toBe(a.password)
    expect(await store.read('main', 'billing', 'a')).toEqual(a)
    expect(await store.read('main', 'billing', 'b')).toEqual(b)
    expect(aws.names()).toEqual(['GetSecretValue', 'PutSecretValue', 'GetSecretValue', 'GetSecretValue'])
  })

  it('has a new password for each generation', async () => {
    const before = await store.ensure(first, 'a', 'sb.billing@a')

    const after = await store.ensure(aCredential(slot('created', 2), slot('active', 1)), 'a', 'sb.billing@a')

    expect(after.password).not.toBe(before.password)
    expect(stored()).toEqual({ a: after })
  })

  it('is not written twice when the answer to a write is lost', async () => {
    await store.ensure(first, 'a', 'sb.billing@a')
    aws.loseNext('PutSecretValue')
    expect(await failureOf(store.ensure(second, 'b', 'sb.billing@b'))).toMatchObject({ reason: 'secret_unavailable' })
    const written = stored().b

    expect(await store.ensure(second, 'b', 'sb.billing@b')).toEqual(written)
  })

  it('is not written over somebody who was faster: both get that one’s password', async () => {
    await store.ensure(first, 'a', 'sb.billing@a')

    const [one, other] = await Promise.all([
      store.ensure(second, 'b', 'sb.billing@b'),
      store.ensure(second, 'b', 'sb.billing@b'),
    ])

    expect(one).toEqual(other)
    expect(stored().b).toEqual(one)
  })

  it('is made once by two who find none', async () => {
    const [one, other] = await Promise.all([
      store.ensure(first, 'a', 'sb.billing@a'),
      store.ensure(first, 'a', 'sb.billing@a'),
    ])

    expect(one).toEqual(other)
    expect(stored()).toEqual({ a: one })
  })

  it('drops what belongs to no slot any more', async () => {
    const old = { generation: 4, username: 'sb.billing@b', password: 'old' }
    aws.put(name, JSON.stringify({ a: { generation: 2, username: 'sb.billing@a', password: 'older' }, b: old }))

    await store.ensure(aCredential(slot('created', 3), slot('absent', 4)), 'a', 'sb.billing@a')

    expect(Object.keys(stored())).toEqual(['a'])
  })
})

describe('taking a password away', () => {
  it('writes nothing while the other slot needs the secret', async () => {
    await store.ensure(first, 'a', 'sb.billing@a')
    aws.calls.length = 0

    await store.removeSlot(aCredential(slot('fenced', 1), slot('active', 1)), 'a')

    expect(aws.calls).toEqual([])
  })

  it('deletes the secret of which nothing is needed, with a window to bring it back in', async () => {
    await store.ensure(first, 'a', 'sb.billing@a')

    await store.removeSlot(aCredential(slot('fenced', 1)), 'a')

    expect(aws.text(name)).toBeUndefined()
    expect(aws.calls.at(-1)).toMatchObject({ call: 'DeleteSecret', input: { RecoveryWindowInDays: 7 } })
    expect(aws.calls.at(-1)?.input).not.toHaveProperty('ForceDeleteWithoutRecovery')
  })

  it('succeeds when there is nothing, or nothing any more', async () => {
    const gone = aCredential(slot('fenced', 1))
    await store.removeSlot(gone, 'a')
    await store.ensure(first, 'a', 'sb.billing@a')
    await store.removeSlot(gone, 'a')

    await store.removeSlot(gone, 'a')
  })

  it('is undone by the next password, and the old one does not come back with its secret', async () => {
    const before = await store.ensure(first, 'a', 'sb.billing@a')
    await store.removeSlot(aCredential(slot('fenced', 1)), 'a')

    const after = await store.ensure(aCredential(slot('absent', 1), slot('created', 1)), 'b', 'sb.billing@b')

    expect(stored()).toEqual({ b: after })
    expect(aws.text(name)).not.toContain(before.password)
  })
})

describe('a secret that somebody deleted', () => {
  it('is nothing for who only reads, and is brought back by who may', async () => {
    const a = await store.ensure(first, 'a', 'sb.billing@a')
    aws.deleteByHand(name)

    expect(await store.read('main', 'billing', 'a')).toBeUndefined()
    expect(await store.recover('main', 'billing', 'a', 'sb.billing@a')).toEqual(a)
    expect(await store.read('main', 'billing', 'a')).toEqual(a)
  })

  it('for good is nothing', async () => {
    await store.ensure(first, 'a', 'sb.billing@a')
    aws.destroyByHand(name)

    expect(await store.recover('main', 'billing', 'a', 'sb.billing@a')).toBeUndefined()
  })

  it('is brought back before the other slot gets its password', async () => {
    const a = await store.ensure(first, 'a', 'sb.billing@a')
    aws.deleteByHand(name)

    const b = await store.ensure(second, 'b', 'sb.billing@b')

    expect(stored()).toEqual({ a, b })
  })
})

describe('what is not ours', () => {
  it.each([
    '',
    'hunter2',
    '{"username":"a","password":"hunter2"}',
    '{"a":{"generation":1,"password":"hunter2"}}',
    '{"a":{"generation":"1","username":"x","password":"hunter2"}}',
    '{"c":{"generation":1,"username":"x","password":"hunter2"}}',
  ])('is refused by its name, not shown and not written: %s', async (text) => {
    aws.put(name, text)

    const failure = await failureOf(store.ensure(first, 'a', 'sb.billing@a'))

    expect(failure).toMatchObject({ reason: 'secret_foreign', message: expect.stringContaining(`\`${name}\``) })
    expect(String(failure)).not.toContain('hunter2')
    expect(aws.text(name)).toBe(text)
  })

  it('is a password of another user', async () => {
    const theirs = JSON.stringify({ a: { generation: 1, username: 'other.billing@a', password: 'theirs' } })
    aws.put(name, theirs)

    expect(await failureOf(store.ensure(first, 'a', 'sb.billing@a'))).toMatchObject({ reason: 'secret_foreign' })
    expect(aws.text(name)).toBe(theirs)
  })
})

describe('a call that fails', () => {
  it.each([
    ['AccessDeniedException', 'secret_denied'],
    ['DecryptionFailure', 'secret_denied'],
    ['EncryptionFailure', 'secret_denied'],
    ['ThrottlingException', 'secret_unavailable'],
    ['InternalServiceError', 'secret_unavailable'],
    ['LimitExceededException', 'secret_unavailable'],
  ])('with %s is %s', async (type, reason) => {
    for (const call of ['GetSecretValue', 'CreateSecret']) {
      aws.failNext(call, type)
      expect(await failureOf(store.ensure(first, 'a', 'sb.billing@a'))).toMatchObject({ reason })
    }
    await store.ensure(first, 'a', 'sb.billing@a')
    aws.failNext('DeleteSecret', type)
    expect(await failureOf(store.removeSlot(aCredential(slot('fenced', 1)), 'a'))).toMatchObject({ reason })
  })
})
