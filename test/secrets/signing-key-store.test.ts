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
    expect(await store.ensure(now)).toBe(true)
    const keys = await store.read()
    expect(await store.ensure(now)).toBe(false)
    expect((await store.read())?.active.kid).toBe(keys?.active.kid)
    expect(manager.calls.filter((call) => call === 'PutSecretValue')).toHaveLength(1)
  })

  it('is named by its thumbprint, and published without its private part', async () => {
    await store.ensure(now)
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
    await expect(store.ensure(now)).rejects.toThrow()
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
    await expect(store.ensure(now)).rejects.toThrow()
    expect(manager.values.get('keys')).toBe('hunter2')
  })
})
