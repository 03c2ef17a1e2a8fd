import { createHash, createHmac } from 'node:crypto'
import { UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authenticateRole } from '../../shared/identity/authenticator.ts'
import { aDirectory } from '../fixtures/policies.ts'
import {
  aDirectoryThatTrusts,
  anAuthenticator,
  at,
  expectUnauthenticated,
  goodClaims,
  refusalOf,
} from './an-authenticator.ts'
import { discoveryPath, json, keysPath, type LoopbackIssuer, startIssuer } from './loopback-issuer.ts'
import { createKey, encode, mint, signText, type WorkloadKey } from './workload-key.ts'

const rsa = createKey('RS256', 'rsa')
const p256 = createKey('ES256', 'p256')
const p384 = createKey('ES384', 'p384')
const ed25519 = createKey('EdDSA', 'ed25519')
const published = [rsa, p256, p384, ed25519]
const stranger = createKey('ES256', 'p256')

let issuer: LoopbackIssuer
/** Would serve the stranger's keys to whoever followed a header there. */
let attacker: LoopbackIssuer

beforeAll(async () => {
  issuer = await startIssuer(published.map(({ jwk }) => jwk))
  attacker = await startIssuer([stranger.jwk])
})

afterAll(async () => {
  await issuer.close()
  await attacker.close()
})

const claims = (changes: Readonly<Record<string, unknown>> = {}) => ({ ...goodClaims(issuer.url), ...changes })
const trusting = () => aDirectoryThatTrusts(issuer.url)

describe('a good token', () => {
  test.each(published)('names its principal: $algorithm', async (key) => {
    const principal = await anAuthenticator().authenticate(await mint(key, claims()), trusting())

    expect(principal).toEqual({ name: 'orders-api', labels: { team: 'payments' }, identityRule: 0 })
  })

  test.each(['Bearer ', 'bearer ', 'BEARER   '])('is taken after `%s`', async (scheme) => {
    const principal = await anAuthenticator().authorize(`${scheme}${await mint(p256, claims())}`, trusting())

    expect(principal.name).toBe('orders-api')
  })

  test('may be for several audiences', async () => {
    const token = await mint(p256, claims({ aud: ['other', 'switchboard'] }))

    expect(await anAuthenticator().authenticate(token, trusting())).toMatchObject({ name: 'orders-api' })
  })

  test('may come from a clock that is half a minute off', async () => {
    const late = await mint(p256, claims({ exp: at(-29) }))
    const early = await mint(p256, claims({ nbf: at(30), iat: at(30) }))

    expect(await anAuthenticator().authenticate(late, trusting())).toMatchObject({ name: 'orders-api' })
    expect(await anAuthenticator().authenticate(early, trusting())).toMatchObject({ name: 'orders-api' })
  })

  test('without a `kid` is verified when only one key fits', async () => {
    const token = signText(p256, { alg: 'ES256' }, JSON.stringify(claims()))

    expect(await anAuthenticator().authenticate(token, trusting())).toMatchObject({ name: 'orders-api' })
  })

  test('whose label claim is no text has no such label', async () => {
    const token = await mint(p256, claims({ team: ['payments'] }))

    expect(await anAuthenticator().authenticate(token, trusting())).toMatchObject({ labels: {} })
  })

  test('is named by the first rule that matches it', async () => {
    const { url } = issuer
    const directory = aDirectoryThatTrusts(
      url,
      { claims: { env: 'prod' }, principal: 'prod.{sub}' },
      { issuer: url, audience: 'switchboard', principal: 'any.{sub}' },
      { issuer: url, audience: 'switchboard', principal: 'never.{sub}' },
    )
    const { authenticate } = anAuthenticator()

    expect(await authenticate(await mint(p256, claims({ env: 'prod' })), directory)).toMatchObject({
      name: 'prod.orders-api',
      identityRule: 0,
    })
    expect(await authenticate(await mint(p256, claims({ env: 'test' })), directory)).toMatchObject({
      name: 'any.orders-api',
      identityRule: 1,
    })
  })
})

describe('is refused like every other, with one answer,', () => {
  const refuse = (token: string) => expectUnauthenticated(anAuthenticator().authenticate(token, trusting()))

  test.each([
    { what: 'that expired', changes: { exp: at(-31) } },
    { what: 'without an expiry', changes: { exp: undefined } },
    { what: 'that is not valid yet', changes: { nbf: at(31) } },
    { what: 'for another audience', changes: { aud: 'billing' } },
    { what: 'for several other audiences', changes: { aud: ['billing', 'switchboard-2'] } },
    { what: 'for no audience', changes: { aud: undefined } },
    { what: 'of another issuer', changes: { iss: 'https://login.acme.com' } },
    { what: 'of no issuer', changes: { iss: undefined } },
    { what: 'whose subject is no principal name', changes: { sub: '../admin' } },
    { what: 'whose subject is too long', changes: { sub: 'a'.repeat(64) } },
    { what: 'whose subject has a line break', changes: { sub: 'orders-api\n' } },
    { what: 'without a subject', changes: { sub: undefined } },
  ])('a token $what', async ({ changes }) => {
    await refuse(signText(p256, { alg: 'ES256', kid: 'p256' }, JSON.stringify(claims(changes))))
  })

  test.each([
    { claim: 'sub', values: ['1', 'null', 'true', '""', '["orders-api"]', '{"orders-api":1}'] },
    { claim: 'aud', values: ['1', 'null', 'true', '{"switchboard":true}', '[["switchboard"]]', '[1]', '[]'] },
    { claim: 'iss', values: ['1', 'null', '{}', 'LIST'] },
    { claim: 'exp', values: ['1e400', '-1e400', '1e300', '1e12', '-1', '"LATER"', '[LATER]', 'null', 'true', '{}'] },
    { claim: 'nbf', values: ['1e400', '"0"', '[0]', 'null', '-1'] },
    { claim: 'iat', values: ['1e400', '1e300', '"0"', '-1', 'null'] },
  ])('a token with a claim `$claim` of the wrong kind', async ({ claim, values }) => {
    const rest = Object.entries(claims()).filter(([name]) => name !== claim)
    for (const value of values) {
      const text = value.replace('LATER', String(at(3600))).replace('LIST', JSON.stringify([issuer.url]))
      const payload = `{${rest.map(([name, each]) => `"${name}":${JSON.stringify(each)}`).join()},"${claim}":${text}}`
      await refuse(signText(p256, { alg: 'ES256', kid: 'p256' }, payload))
    }
  })

  test.each(['"text"', '1', 'null', '[]', '', '{', '{"iss":'])('a token whose payload is `%s`', async (payload) => {
    await refuse(signText(p256, { alg: 'ES256', kid: 'p256' }, payload))
  })

  test('a good token inside another, signed or not', async () => {
    const inner = await mint(p256, claims())
    const header = { alg: 'ES256', kid: 'p256', cty: 'JWT' }
    await refuse(signText(p256, header, inner))
    await refuse(signText(p256, header, JSON.stringify(inner)))
    await refuse(signText(p256, header, JSON.stringify({ jwt: inner })))
    await refuse(`${encode(JSON.stringify({ ...header, alg: 'none' }))}.${encode(inner)}.`)
    await refuse(`${encode(JSON.stringify({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' }))}..AA.${encode(inner)}.AA`)
  })

  test('a token without a signature', async () => {
    const unsecured = new UnsecuredJWT(claims()).encode()
    const payload = encode(JSON.stringify(claims()))
    await refuse(unsecured)
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined])
      await refuse(`${encode(JSON.stringify({ alg, kid: 'p256' }))}.${payload}.AA`)
  })

  test('a token whose HMAC was made with the public key', async () => {
    const input = `${encode(JSON.stringify({ alg: 'HS256', kid: 'rsa' }))}.${encode(JSON.stringify(claims()))}`
    const secrets = [
      rsa.publicKey.export({ type: 'spki', format: 'pem' }),
      rsa.publicKey.export({ type: 'spki', format: 'der' }),
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }),
      JSON.stringify(rsa.jwk),
      rsa.jwk.n ?? '',
    ]
    for (const secret of secrets)
      await refuse(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)
  })

  test('a token whose HMAC was made with a secret that the issuer publishes by mistake', async () => {
    const careless = await startIssuer([{ kty: 'oct', kid: 'shared', k: encode('secret'), alg: 'HS256' }])
    const payload = encode(JSON.stringify(goodClaims(careless.url)))
    const input = `${encode(JSON.stringify({ alg: 'HS256', kid: 'shared' }))}.${payload}`
    const token = `${input}.${createHmac('sha256', 'secret').update(input).digest('base64url')}`

    await expectUnauthenticated(anAuthenticator().authenticate(token, aDirectoryThatTrusts(careless.url)))

    await careless.close()
  })

  test('a token with an algorithm outside the rule', async () => {
    const directory = aDirectoryThatTrusts(issuer.url, { algorithms: ['RS256'] })
    for (const key of [p256, p384, ed25519])
      await expectUnauthenticated(anAuthenticator().authenticate(await mint(key, claims()), directory))
    await expect(anAuthenticator().authenticate(await mint(rsa, claims()), directory)).resolves.toBeDefined()
  })

  test('a token with an algorithm that only another rule of its issuer allows', async () => {
    const { url } = issuer
    const directory = aDirectoryThatTrusts(
      url,
      { algorithms: ['RS256'] },
      { issuer: url, audience: 'other', algorithms: ['ES256'] },
    )

    await expectUnauthenticated(anAuthenticator().authenticate(await mint(p256, claims()), directory))
  })

  test.each([
    { what: 'a key of another curve', key: p384, header: { alg: 'ES256', kid: 'p384' } },
    { what: 'the name of a key of another curve', key: p256, header: { alg: 'ES256', kid: 'p384' } },
    { what: 'the algorithm of another curve', key: p256, header: { alg: 'ES384', kid: 'p256' } },
    { what: 'a key of another type', key: p256, header: { alg: 'RS256', kid: 'rsa' } },
    { what: 'the padding of PSS', key: rsa, header: { alg: 'PS256', kid: 'rsa' } },
    { what: 'a longer hash', key: rsa, header: { alg: 'RS512', kid: 'rsa' } },
    { what: "a stranger's key", key: stranger, header: { alg: 'ES256', kid: 'p256' } },
    { what: 'an unknown key', key: p256, header: { alg: 'ES256', kid: 'p256-2' } },
    { what: 'a key name that is no text', key: p256, header: { alg: 'ES256', kid: 256 } },
    { what: 'an algorithm that is no text', key: p256, header: { alg: ['ES256'], kid: 'p256' } },
  ])('a token signed with $what', async ({ key, header }) => {
    await refuse(signText(key, header, JSON.stringify(claims())))
  })

  test.each([
    { crit: ['exp'], exp: 1 },
    { crit: ['urn:acme:must'], 'urn:acme:must': true },
    { crit: ['b64'], b64: false },
    { crit: [] },
    { crit: 'exp' },
    { crit: null },
  ])('a token that calls header members critical: %j', async (header) => {
    await refuse(signText(p256, { alg: 'ES256', kid: 'p256', ...header }, JSON.stringify(claims())))
  })

  test('a token without a `kid` when two keys fit', async () => {
    const two = await startIssuer([p256.jwk, createKey('ES256', 'other').jwk])
    const token = signText(p256, { alg: 'ES256' }, JSON.stringify(goodClaims(two.url)))

    await expectUnauthenticated(anAuthenticator().authenticate(token, aDirectoryThatTrusts(two.url)))

    await two.close()
  })

  test('a token that brings its own key, or says where it is, and nobody asks there', async () => {
    const certificate = Buffer.from('not read').toString('base64')
    const headers = [
      { jku: `${attacker.url}${keysPath}` },
      { x5u: `${attacker.url}${keysPath}` },
      { jwk: stranger.jwk },
      { x5c: [certificate] },
      { jku: `${attacker.url}${keysPath}`, jwk: stranger.jwk, kid: 'unknown' },
    ]
    for (const header of headers)
      await refuse(signText(stranger, { alg: 'ES256', kid: 'p256', ...header }, JSON.stringify(claims())))

    expect(attacker.requests).toEqual([])
  })

  test('a token of an issuer that no rule has, and nobody asks there', async () => {
    await refuse(await mint(stranger, goodClaims(attacker.url)))

    expect(attacker.requests).toEqual([])
  })

  test('a token of 100 kB, however well it is signed', async () => {
    const token = await mint(p256, claims({ padding: 'x'.repeat(100_000) }))

    await refuse(token)
  })

  test('a token of our own issuer, even when a rule trusts that', async () => {
    const token = await mint(p256, claims())
    const { authenticate, verifications } = anAuthenticator({ ownIssuer: issuer.url })

    await expectUnauthenticated(authenticate(token, trusting()))

    expect(verifications()).toBe(0)
  })

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer a.b',
    'Bearer a.b.c.d',
    'Bearer a.b.c',
    'Bearer ..',
    'Digest username="orders-api"',
    'Basic',
    'Basic ',
    'Basic !!!!',
  ])('the header `%s`', async (authorization) => {
    await expectUnauthenticated(anAuthenticator().authorize(authorization, trusting()))
  })

  test('a good token with anything around it', async () => {
    const token = await mint(p256, claims())
    for (const authorization of [
      token,
      `Bearer ${token} `,
      `Bearer ${token},x`,
      `Bearer "${token}"`,
      ` Bearer ${token}`,
    ])
      await expectUnauthenticated(anAuthenticator().authorize(authorization, trusting()))
  })

  test.each([
    { what: 'half of it', jwk: { kty: 'EC', crv: 'P-256', kid: 'broken', x: p256.jwk.x } },
    { what: 'a point off the curve', jwk: { ...p256.jwk, kid: 'broken', y: p256.jwk.x } },
    { what: 'no base64', jwk: { ...p256.jwk, kid: 'broken', x: '!', y: '!' } },
    { what: 'a number', jwk: { ...p256.jwk, kid: 'broken', x: 1 } },
  ])('a token whose key the issuer publishes broken: $what', async ({ jwk }) => {
    const broken = await startIssuer([jwk as WorkloadKey['jwk']])
    const token = signText(p256, { alg: 'ES256', kid: 'broken' }, JSON.stringify(goodClaims(broken.url)))

    await expectUnauthenticated(anAuthenticator().authenticate(token, aDirectoryThatTrusts(broken.url)))

    await broken.close()
  })

  test('a token signed with an RSA key that is too short to be safe', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'short', alg: 'RS256' } as WorkloadKey['jwk']
    const short: WorkloadKey = { kid: 'short', algorithm: 'RS256', privateKey, publicKey, jwk }
    const weak = await startIssuer([jwk])
    const token = signText(short, { alg: 'RS256', kid: 'short' }, JSON.stringify(goodClaims(weak.url)))

    await expectUnauthenticated(anAuthenticator().authenticate(token, aDirectoryThatTrusts(weak.url)))

    await weak.close()
  })
})

describe('an issuer', () => {
  test('that cannot be reached is no reason to call its tokens wrong', async () => {
    const down = await startIssuer([p256.jwk])
    await down.close()

    const answer = anAuthenticator().authenticate(
      await mint(p256, goodClaims(down.url)),
      aDirectoryThatTrusts(down.url),
    )

    expect(await refusalOf(answer)).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 })
  })

  test('is asked at most once in 30 s by a storm of tokens with unknown keys, and its good tokens go on', async () => {
    const stormed = await startIssuer([p256.jwk])
    const directory = aDirectoryThatTrusts(stormed.url)
    const { authenticate, setTime } = anAuthenticator()
    const good = await mint(p256, goodClaims(stormed.url))
    const storm = async (): Promise<void> => {
      const payload = JSON.stringify(goodClaims(stormed.url))
      await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          expectUnauthenticated(
            authenticate(signText(stranger, { alg: 'ES256', kid: `unknown-${index}` }, payload), directory),
          ),
        ),
      )
      await authenticate(good, directory)
    }
    const fetches = () => stormed.requests.filter((path) => path === keysPath).length
    await authenticate(good, directory)

    await storm()
    setTime(29.9)
    await storm()
    expect(fetches()).toBe(1)

    setTime(30)
    await storm()
    setTime(59.9)
    await storm()
    expect(fetches()).toBe(2)

    setTime(60)
    await storm()
    expect(fetches()).toBe(3)
    await stormed.close()
  })

  test('may sign with a new key at once, where nobody made us look within 30 s', async () => {
    const rotating = await startIssuer([p256.jwk])
    const directory = aDirectoryThatTrusts(rotating.url)
    const { authenticate, setTime } = anAuthenticator()
    await authenticate(await mint(p256, goodClaims(rotating.url)), directory)
    const next = createKey('ES256', 'next')
    rotating.publish([p256.jwk, next.jwk])

    setTime(30)
    const principal = await authenticate(await mint(next, goodClaims(rotating.url)), directory)

    expect(principal.name).toBe('orders-api')
    await rotating.close()
  })
})

describe('a token that was found good', () => {
  test('is not verified again for 5 minutes', async () => {
    const { authenticate, verifications, setTime } = anAuthenticator()
    const token = await mint(p256, claims())

    for (const seconds of [0, 1, 299.9]) {
      setTime(seconds)
      await authenticate(token, trusting())
    }
    expect(verifications()).toBe(1)

    setTime(300)
    await authenticate(token, trusting())
    expect(verifications()).toBe(2)
  })

  test('is remembered as a whole: the same claims under another signature are verified', async () => {
    const { authenticate, verifications } = anAuthenticator()

    await authenticate(await mint(p256, claims()), trusting())
    await authenticate(await mint(p256, claims()), trusting())

    expect(verifications()).toBe(2)
  })

  test('still meets the rules of the policy in force each time', async () => {
    const { authenticate, verifications } = anAuthenticator()
    const token = await mint(p256, claims())
    await authenticate(token, trusting())

    const renamed = await authenticate(token, aDirectoryThatTrusts(issuer.url, { principal: 'acme.{sub}' }))
    expect(renamed.name).toBe('acme.orders-api')
    for (const rule of [{ audience: 'other' }, { claims: { team: 'finance' } }, { algorithms: ['RS256'] }])
      await expectUnauthenticated(authenticate(token, aDirectoryThatTrusts(issuer.url, rule)))
    await expectUnauthenticated(authenticate(token, aDirectory()))
    expect(verifications()).toBe(1)
  })

  test('is never good past its expiry', async () => {
    const { authenticate, setTime } = anAuthenticator()
    const token = await mint(p256, claims({ exp: at(60) }))
    await authenticate(token, trusting())

    setTime(89)
    await expect(authenticate(token, trusting())).resolves.toBeDefined()
    setTime(90)
    await expectUnauthenticated(authenticate(token, trusting()))
  })

  test('is refused once its key was seen to be withdrawn', async () => {
    const rotating = await startIssuer([p256.jwk])
    const directory = aDirectoryThatTrusts(rotating.url)
    const { authenticate, setTime } = anAuthenticator()
    const old = await mint(p256, goodClaims(rotating.url))
    await authenticate(old, directory)
    const next = createKey('ES256', 'next')
    rotating.publish([next.jwk])

    setTime(31)
    await authenticate(old, directory)
    await authenticate(await mint(next, goodClaims(rotating.url)), directory)

    await expectUnauthenticated(authenticate(old, directory))
    await rotating.close()
  })

  test('is refused once its key was replaced by another of the same name', async () => {
    const rotating = await startIssuer([p256.jwk])
    const directory = aDirectoryThatTrusts(rotating.url)
    const { authenticate, setTime } = anAuthenticator()
    const old = await mint(p256, goodClaims(rotating.url))
    await authenticate(old, directory)
    rotating.publish([createKey('ES256', 'p256').jwk])

    setTime(600)
    await expectUnauthenticated(authenticate(old, directory))
    await rotating.close()
  })

  test('was not refused before: a refusal is not remembered', async () => {
    const rotating = await startIssuer([])
    const directory = aDirectoryThatTrusts(rotating.url)
    const { authenticate, setTime } = anAuthenticator()
    const token = await mint(p256, goodClaims(rotating.url))
    await expectUnauthenticated(authenticate(token, directory))
    rotating.publish([p256.jwk])

    setTime(30)
    expect(await authenticate(token, directory)).toMatchObject({ name: 'orders-api' })
    await rotating.close()
  })
})

describe('a client secret', () => {
  const secret = 'correct horse battery staple'
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const directory = () => aDirectory({ identities: [{ client: 'legacy-billing', labels: { team: 'finance' } }] })
  const basic = (id: string, text: string): string => `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}`
  const withDigests = (...digests: readonly Uint8Array[]) =>
    anAuthenticator({ clientDigests: async () => new Map([['legacy-billing', digests]]) })

  test('names the client as the principal', async () => {
    const { authorize } = withDigests(digest(secret))

    const principal = await authorize(basic('legacy-billing', secret), directory())

    expect(principal).toEqual({ name: 'legacy-billing', labels: { team: 'finance' }, identityRule: 0 })
  })

  test('may be the old or the new one while it is rotated', async () => {
    const { authorize } = withDigests(digest('old'), digest('new:with:colons'))

    await expect(authorize(basic('legacy-billing', 'old'), directory())).resolves.toBeDefined()
    await expect(authorize(basic('legacy-billing', 'new:with:colons'), directory())).resolves.toBeDefined()
    await expectUnauthenticated(authorize(basic('legacy-billing', 'older'), directory()))
  })

  test.each([
    { what: 'a wrong one', id: 'legacy-billing', text: 'wrong' },
    { what: 'an empty one', id: 'legacy-billing', text: '' },
    { what: 'the hash itself', id: 'legacy-billing', text: digest(secret).toString('hex') },
    { what: 'one of an unknown client', id: 'unknown', text: secret },
    { what: 'one of no client', id: '', text: secret },
    { what: 'one of a client in other letters', id: 'Legacy-Billing', text: secret },
  ])('is refused with the one answer: $what', async ({ id, text }) => {
    await expectUnauthenticated(withDigests(digest(secret)).authorize(basic(id, text), directory()))
  })

  test('is refused for a client that the policy does not have, or no longer', async () => {
    await expectUnauthenticated(withDigests(digest(secret)).authorize(basic('legacy-billing', secret), aDirectory()))
  })

  test('is refused for a client that has none yet', async () => {
    await expectUnauthenticated(withDigests().authorize(basic('legacy-billing', ''), directory()))
  })

  test('proves nobody that the policy knows by a token or a role', async () => {
    const role = { awsRole: 'arn:aws:iam::111122223333:role/legacy-billing' }
    const others = aDirectory({ identities: [{ issuer: issuer.url, audience: 'legacy-billing' }, role] })

    await expectUnauthenticated(withDigests(digest(secret)).authorize(basic('legacy-billing', secret), others))
  })
})

describe('an AWS role', () => {
  const roles = (awsRole: string, principal?: string) =>
    aDirectory({ identities: [{ awsRole, ...(principal === undefined ? {} : { principal }) }] })
  const session = (role: string): string => `arn:aws:sts::111122223333:assumed-role/${role}/session-1`

  test('names its principal by its name', () => {
    const directory = roles('arn:aws:iam::111122223333:role/path/svc-*', 'aws.{roleName}')

    expect(authenticateRole(session('svc-orders'), directory)).toMatchObject({
      name: 'aws.svc-orders',
      identityRule: 0,
    })
  })

  test.each([
    undefined,
    '',
    'arn:aws:sts::444455556666:assumed-role/svc-orders/session-1',
    'arn:aws:sts::111122223333:assumed-role/other/session-1',
    'arn:aws:sts::111122223333:assumed-role/svc-/x/session-1',
    'arn:aws:iam::111122223333:role/svc-orders',
    'arn:aws:iam::111122223333:user/svc-orders',
    'arn:aws:iam::111122223333:root',
    'arn:aws:sts::111122223333:federated-user/svc-orders',
    ' arn:aws:sts::111122223333:assumed-role/svc-orders/session-1',
    'arn:aws:sts::111122223333:assumed-role/svc-orders/session-1\n',
  ])('is refused with the one answer: `%s`', async (arn) => {
    const answer = async () => authenticateRole(arn, roles('arn:aws:iam::111122223333:role/svc-*'))

    await expectUnauthenticated(answer())
  })

  test('is not proven by a header that says so', async () => {
    const directory = roles('arn:aws:iam::111122223333:role/svc-*')

    for (const authorization of [
      session('svc-orders'),
      `Bearer ${session('svc-orders')}`,
      'AWS4-HMAC-SHA256 Credential=x',
    ])
      await expectUnauthenticated(anAuthenticator().authorize(authorization, directory))
  })
})

test('metadata that moves the keys away from the issuer makes its tokens unavailable and not accepted', async () => {
  const captured = await startIssuer([p256.jwk])
  captured.answer(discoveryPath, json({ issuer: captured.url, jwks_uri: `${attacker.url}${keysPath}` }))
  const token = await mint(stranger, goodClaims(captured.url))

  const error = await refusalOf(anAuthenticator().authenticate(token, aDirectoryThatTrusts(captured.url)))

  expect(error.code).toBe('unavailable')
  expect(attacker.requests).toEqual([])
  await captured.close()
})
