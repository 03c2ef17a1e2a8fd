import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRegistrySecrets, RegistrySecretError } from '../../shared/secrets/registry-secrets.ts'
import { type LoopbackSecretsManager, startSecretsManager } from './loopback-secrets-manager.ts'

const name = 'switchboard/prod/registries/main/orders-api'
let manager: LoopbackSecretsManager
let time = new Date('2026-11-21T12:00:00.000Z')
const pass = (seconds: number) => {
  time = new Date(time.getTime() + seconds * 1_000)
}

beforeEach(async () => {
  manager = await startSecretsManager()
})

afterEach(() => manager.close())

const reader = () => createRegistrySecrets(manager.client, () => time)

describe('the secret of a schema registry', () => {
  it.each([
    '{"username":"orders-api","password":"p"}',
    '{"apiKey":"orders-api","apiSecret":"p","resourceId":"lsrc-1"}',
  ])('is a user and a password: %s', async (text) => {
    manager.values.set(name, text)
    expect(await reader()(name)).toMatchObject({ username: 'orders-api', password: 'p' })
  })

  it('is read again after a minute, and once by all who ask at the same time', async () => {
    const read = reader()
    manager.values.set(name, '{"username":"orders-api","password":"first"}')
    await Promise.all([read(name), read(name)])
    manager.values.set(name, '{"username":"orders-api","password":"second"}')
    pass(59)
    expect(await read(name)).toMatchObject({ password: 'first' })
    pass(1)
    expect(await read(name)).toMatchObject({ password: 'second' })
    expect(manager.calls).toEqual(['GetSecretValue', 'GetSecretValue'])
  })

  it('that is not there is said to be so by its name, and found as soon as it is', async () => {
    const read = reader()
    await expect(read(name)).rejects.toThrow(new RegistrySecretError(`there is no secret \`${name}\``))
    manager.values.set(name, '{"username":"orders-api","password":"p"}')
    expect(await read(name)).toMatchObject({ password: 'p' })
  })

  it('that may not be read is said to be so', async () => {
    manager.fail()
    await expect(reader()(name)).rejects.toThrow(`the secret \`${name}\` cannot be read: AccessDeniedException`)
  })

  it.each(['', 'hunter2', '{"password":"hunter2"}', '{"username":"a:b","password":"hunter2"}'])(
    'is refused by its name and without its content: %s',
    async (text) => {
      manager.values.set(name, text)
      const failure = await reader()(name).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(RegistrySecretError)
      expect(String(failure)).toContain(`\`${name}\``)
      expect(String(failure)).not.toContain('hunter2')
    },
  )
})
