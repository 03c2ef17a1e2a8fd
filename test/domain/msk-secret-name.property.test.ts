import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mskSecretName, mskSecretPrefix, secretNameOfArn } from '../../shared/domain/msk-secret-name.ts'
import { isPrincipalName, slotOfUser, slotUser } from '../../shared/domain/principal.ts'

const stack = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/)
const cluster = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?$/)
const principal = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
const slot = fc.constantFrom('a', 'b')
const place = fc.record({ stack, cluster, principal, slot })

test('no two slots share a secret, in whatever stack and on whatever cluster', () => {
  fc.assert(
    fc.property(place, place, (one, other) => {
      const isSame = (Object.keys(one) as (keyof typeof one)[]).every((key) => one[key] === other[key])
      expect(mskSecretName(one.stack, one) === mskSecretName(other.stack, other)).toBe(isSame)
    }),
  )
})

test('a stack’s prefix is that of its own secrets alone', () => {
  fc.assert(
    fc.property(place, stack, (one, other) => {
      expect(mskSecretName(one.stack, one).startsWith(mskSecretPrefix(other))).toBe(one.stack === other)
    }),
  )
})

test('a name is one that Secrets Manager and MSK take, and its end is not read as that of an ARN', () => {
  fc.assert(
    fc.property(place, (one) => {
      const name = mskSecretName(one.stack, one)
      expect(name).toMatch(/^AmazonMSK_[A-Za-z0-9/_+=.@-]+$/)
      expect(name).not.toMatch(/-.{6}$/)
      expect(secretNameOfArn(`arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-AbC123`)).toBe(name)
    }),
  )
})

test('a Kafka user tells whose slot it is', () => {
  fc.assert(
    fc.property(principal, slot, (name, of) => {
      expect(slotOfUser('sb.', slotUser('sb.', name, of))).toEqual({ principal: name, slot: of })
    }),
  )
})

test('whatever is no user of a slot of ours is nobody’s', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((end) => `sb.${end}`),
  )
  fc.assert(
    fc.property(text, (user) => {
      const found = slotOfUser('sb.', user)
      if (found !== undefined) expect(slotUser('sb.', found.principal, found.slot)).toBe(user)
      else expect(/^sb\.([^@]*)@[ab]$/.test(user) && isPrincipalName(user.slice(3, -2))).toBe(false)
    }),
  )
})
