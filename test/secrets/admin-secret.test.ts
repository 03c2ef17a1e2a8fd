import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readAdminSecret } from '../../shared/secrets/admin-secret.ts'
import { type LoopbackSecretsManager, startSecretsManager } from './loopback-secrets-manager.ts'

let manager: LoopbackSecretsManager

beforeEach(async () => {
  manager = await startSecretsManager()
})

afterEach(() => manager.close())

const reading = (text: string) => {
  manager.values.set('switchboard/prod/clusters/main', text)
  return readAdminSecret(manager.client, 'switchboard/prod/clusters/main')
}

describe('the admin secret of a cluster', () => {
  it('is a user and a password, for SCRAM-SHA-512 unless it says otherwise', async () => {
    expect(await reading('{"username":"admin","password":"p"}')).toEqual({
      username: 'admin',
      password: 'p',
      mechanism: 'SCRAM-SHA-512',
    })
    expect(await reading('{"username":"admin","password":"p","mechanism":"PLAIN"}')).toMatchObject({
      mechanism: 'PLAIN',
    })
  })

  it.each([
    '',
    'hunter2',
    '"hunter2"',
    '{"password":"hunter2"}',
    '{"username":"","password":"hunter2"}',
    '{"username":"a","password":"hunter2","mechanism":"GSSAPI"}',
  ])('is refused by its name and without its content: %s', async (text) => {
    const failure = await reading(text).catch((error: unknown) => error)
    expect(failure).toMatchObject({ message: expect.stringContaining('`switchboard/prod/clusters/main`') })
    expect(String(failure)).not.toContain('hunter2')
  })
})
