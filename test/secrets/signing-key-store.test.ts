import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSigningKeyStore, type SigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import { now } from '../fixtures/policies.ts'
import { type LoopbackSecretsManager, startSecretsManager } from './loopback-secrets-manager.ts'

let manager: LoopbackSecretsManager
let store: SigningKeyStore

beforeEach(async () => {
  manager = await startSecretsManager()
  store = createSigningKeyStore(manager.client, 'keys')
})

afterEach(() => manager.close())

describe('the first signing key', () => {
  it('is made once, and after that nothing is written', async () => {
    expect(await store.read()).toBeUndefined()
    expect(await store.ensure(1, now)).toBe(true)
    const keys = await store.read()
    expect(await store.ensure(1, now)).toBe(false)
    expect((await store.read())?.active.kid).toBe(keys?.active.kid)
    expect(manager.calls.filter((call) => call === 'PutSecretValue')).toHaveLength(1)
  })

  it('is named by its thumbprint, and published without its private part', async () => {
    await store.ensure(1, now)
    const keys = await store.read()
    const jwk = keys?.published[0]
    if (keys === undefined || jwk === undefined) throw new Error('no key')
    expect(jwk).toEqual({
      ...createPublicKey(keys.active.privateKey).export({ format: 'jwk' }),
      kid: jwk.kid,
      alg: 'ES256',
      use: 'sig',
    })
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect(await calculateJwkThumbprint(jwk)).toBe(jwk.kid)
    expect(keys.active.kid).toBe(jwk.kid)
  })

  it('is not made while nobody knows whether there is one', async () => {
    manager.fail()
    await expect(store.ensure(1, now)).rejects.toThrow()
    expect(manager.calls).not.toContain('PutSecretValue')
  })
})

describe('a secret that is not as rotate writes it', () => {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' })
  it.each([
    ['no JSON', `hunter2 ${pem}`],
    ['another shape', JSON.stringify({ password: 'hunter2', pem })],
    ['no key', JSON.stringify({ active: 'hunter2', keys: [] })],
    [
      'an active key that is not there',
      JSON.stringify({ active: 'b', keys: [{ kid: 'a', createdAt: '', privateKey: pem }] }),
    ],
    ['a key that is none', JSON.stringify({ active: 'a', keys: [{ kid: 'a', createdAt: '', privateKey: 'hunter2' }] })],
  ])('is refused without a word of its content: %s', async (_, text) => {
    manager.values.set('keys', text)
    const failure = await store.read().then(
      () => new Error('read'),
      (error: Error) => error,
    )
    expect(failure.message).not.toBe('read')
    expect(`${failure.message} ${failure.stack} ${String(failure.cause)}`).not.toMatch(/hunter2|BEGIN|MIG/)
  })

  it('is never overwritten', async () => {
    manager.values.set('keys', 'hunter2')
    await expect(store.ensure(1, now)).rejects.toThrow()
    expect(manager.values.get('keys')).toBe('hunter2')
  })
})

describe('a secret that was written before keys rotated', () => {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' })
  const keys = [{ kid: 'first', createdAt: '2026-08-01T00:00:00.000Z', privateKey: pem }]

  it('holds the first key of slot a', async () => {
    manager.values.set('keys', JSON.stringify({ active: 'first', keys }))
    const first = { kid: 'first', slot: 'a', generation: 1, createdAt: new Date('2026-08-01T00:00:00Z') }
    expect(await store.readRing()).toEqual({ active: first, keys: [first] })
    expect(await store.ensure(1, now)).toBe(false)
  })

  it('gets a second key beside it, and goes on signing with the first', async () => {
    manager.values.set('keys', JSON.stringify({ active: 'first', keys }))
    expect(await store.add('b', 1, now)).toBe('done')
    const read = await store.read()
    expect(read?.active.kid).toBe('first')
    expect(read?.published).toHaveLength(2)
  })

  it('is old when nobody can read when it was made', async () => {
    manager.values.set('keys', JSON.stringify({ active: 'first', keys: [{ ...keys[0], createdAt: 'in August' }] }))
    expect((await store.readRing())?.active.createdAt).toEqual(new Date(0))
  })

  it('is what a resolve of before reads out of the secret of now', async () => {
    await store.ensure(1, now)
    const { active, keys: written } = JSON.parse(manager.values.get('keys') ?? '')
    expect(written[0]).toMatchObject({ kid: active, createdAt: now.toISOString() })
    expect(written[0].privateKey).toContain('BEGIN PRIVATE KEY')
  })
})

describe('the next signing key', () => {
  const kids = async () => (await store.readRing())?.keys.map(({ kid }) => kid)

  beforeEach(() => store.ensure(1, now))

  it('is published and does not sign, however often it is asked for', async () => {
    const first = (await store.read())?.active.kid
    expect(await store.add('b', 1, now)).toBe('done')
    const both = await kids()
    expect(await store.add('b', 1, now)).toBe('done')
    expect(await kids()).toEqual(both)
    expect((await store.read())?.active.kid).toBe(first)
    expect(manager.calls.filter((call) => call === 'PutSecretValue')).toHaveLength(2)
  })

  it('takes the place of one that its slot was left with', async () => {
    await store.add('b', 1, now)
    await store.add('b', 2, now)
    expect((await store.readRing())?.keys.map(({ generation }) => generation)).toEqual([1, 2])
  })

  it('never takes the place of the key that signs', async () => {
    const [first] = (await kids()) ?? []
    await store.add('a', 2, now)
    expect(await kids()).toContain(first)
    expect((await store.read())?.active.kid).toBe(first)
  })

  it('signs when it is activated; one that is not there leaves everything as it is', async () => {
    await store.add('b', 1, now)
    const [first, second] = (await kids()) ?? []
    expect(await store.activate('b', 2)).toBe('lost')
    expect((await store.read())?.active.kid).toBe(first)
    expect(await store.activate('b', 1)).toBe('done')
    expect(await store.activate('b', 1)).toBe('done')
    expect((await store.read())?.active.kid).toBe(second)
    expect(manager.calls.filter((call) => call === 'PutSecretValue')).toHaveLength(3)
  })

  it('outlives a removal of all others, and so does the key that signs', async () => {
    await store.add('b', 1, now)
    const [first, second] = (await kids()) ?? []
    await store.retain([{ slot: 'b', generation: 1 }])
    expect(await kids()).toEqual([first, second])
    await store.activate('b', 1)
    await store.retain([])
    expect(await kids()).toEqual([second])
  })

  it('is the only one when it replaces others at once, and is itself replaced only by name', async () => {
    await store.add('b', 1, now)
    const stolen = (await kids()) ?? []
    expect(await store.replace(stolen, now)).toBe(true)
    const after = await kids()
    expect(after).toHaveLength(1)
    expect(stolen).not.toContain(after?.[0])
    expect(await store.replace(stolen, now)).toBe(false)
    expect(await kids()).toEqual(after)
  })
})
