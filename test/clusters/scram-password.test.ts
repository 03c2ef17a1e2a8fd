import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { saltPassword } from '../../shared/clusters/kafka/scram-password.ts'

test('the exchange of RFC 7677 section 3 comes out of the salted password', async () => {
  const salted = await saltPassword('SCRAM-SHA-256', 'pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const authMessage = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`

  const clientKey = hmac(salted, 'Client Key')
  const clientSignature = hmac(createHash('sha256').update(clientKey).digest(), authMessage)
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (clientSignature[at] ?? 0)))

  expect(proof.toString('base64')).toBe('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
  expect(hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')).toBe(
    '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  )
})

test.each([
  {
    iterations: 1,
    hex: '867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce',
  },
  {
    iterations: 4096,
    hex: 'd197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5',
  },
])('SCRAM-SHA-512 salts as PBKDF2-HMAC-SHA-512 does: $iterations rounds', async ({ iterations, hex }) => {
  const salted = await saltPassword('SCRAM-SHA-512', 'password', Buffer.from('salt'), iterations)

  expect(salted.toString('hex')).toBe(hex)
})

test('a password counts by its UTF-8, unprepared: what SASLprep would make equal stays different', async () => {
  const salt = Buffer.from('salt')
  const of = (password: string) => saltPassword('SCRAM-SHA-512', password, salt, 1)

  expect(await of('\u00e9')).toEqual(pbkdf2Sync(Buffer.from('c3a9', 'hex'), salt, 1, 64, 'sha512'))
  expect(await of('e\u0301')).not.toEqual(await of('\u00e9'))
  expect(await of('a\u00adb')).not.toEqual(await of('ab'))
})

test('it is as long as the hash, whatever the password', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 40 }), async (password, salt) => {
      expect(await saltPassword('SCRAM-SHA-512', password, salt, 1)).toHaveLength(64)
      expect(await saltPassword('SCRAM-SHA-256', password, salt, 1)).toHaveLength(32)
    }),
    { numRuns: 30 },
  )
})
