import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type IamSession, signMskToken } from '../../shared/clusters/msk/iam-token.ts'

const now = new Date('2026-11-21T12:00:00.000Z')
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000)

const aSession = (changes: Partial<IamSession> = {}): IamSession => ({
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ+/=',
  expiresAt: later(3_600),
  aheadMs: 0,
  ...changes,
})

const ireland = { partition: 'aws', region: 'eu-west-1' }

const urlOf = (token: string): URL => new URL(Buffer.from(token, 'base64url').toString('utf8'))

/** Signature Version 4 of a query, from the text of its specification. */
const signatureOf = (url: URL, { secretAccessKey }: Pick<IamSession, 'secretAccessKey'>): string => {
  const percent = (text: string): string =>
    [...Buffer.from(text)]
      .map((byte) => {
        const unit = String.fromCharCode(byte)
        return /[A-Za-z0-9_.~-]/.test(unit) ? unit : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
      })
      .join('')
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent')
    .map(([name, value]) => `${percent(name)}=${percent(value)}`)
    .sort()
    .join('&')
  const time = url.searchParams.get('X-Amz-Date') ?? ''
  const [day = '', region = '', service = ''] = (url.searchParams.get('X-Amz-Credential') ?? '').split('/').slice(1)
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
  const request = ['GET', url.pathname, query, `host:${url.host}`, '', 'host', digest('')].join('\n')
  const scope = [day, region, service, 'aws4_request'].join('/')
  const mac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const key = mac(mac(mac(mac(`AWS4${secretAccessKey}`, day), region), service), 'aws4_request')
  return mac(key, ['AWS4-HMAC-SHA256', time, scope, digest(request)].join('\n')).toString('hex')
}

describe('a token of MSK', () => {
  it('is a signed URL in base64url, with nothing to pad', () => {
    const token = signMskToken(aSession(), ireland, now, later(900))
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(Object.fromEntries(urlOf(token).searchParams)).toEqual({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'ASIAIOSFODNN7EXAMPLE/20261121/eu-west-1/kafka-cluster/aws4_request',
      'X-Amz-Date': '20261121T120000Z',
      'X-Amz-Expires': '900',
      'X-Amz-Security-Token': aSession().sessionToken,
      'X-Amz-SignedHeaders': 'host',
      'X-Amz-Signature': '382f8c35e30a347864146813682cc6d3d01398d330ce3ac8b817113c62f348c5',
      'User-Agent': 'switchboard',
    })
  })

  it.each([
    [
      'aws',
      'eu-west-1',
      'kafka.eu-west-1.amazonaws.com',
      '382f8c35e30a347864146813682cc6d3d01398d330ce3ac8b817113c62f348c5',
    ],
    [
      'aws-cn',
      'cn-north-1',
      'kafka.cn-north-1.amazonaws.com.cn',
      '6a572868d44f5d0b5f1eabe0aafa3d2f264b023a4f9a0be4c4f8e52a69ebdc83',
    ],
    [
      'aws-us-gov',
      'us-gov-west-1',
      'kafka.us-gov-west-1.amazonaws.com',
      '5c92949806cea8e949802fe6945874af5935e55886a85756bc2d3ca6ad077685',
    ],
  ])('is for the host of its partition: %s', (partition, region, host, signature) => {
    const url = urlOf(signMskToken(aSession(), { partition, region }, now, later(900)))
    expect([url.host, url.searchParams.get('X-Amz-Signature')]).toEqual([host, signature])
  })

  it('is signed as the specification says, whoever signs and whenever', () => {
    const text = fc.string({ unit: fc.constantFrom(..."aZ0/+=~!*'() %&?;:,éß"), minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: 1, max: 900 }), (...any) => {
        const [accessKeyId, secretAccessKey, sessionToken, at, seconds] = any
        const start = new Date(at * 1_000)
        const until = new Date((at + seconds) * 1_000)
        const session = aSession({
          accessKeyId: accessKeyId.replaceAll('/', '.'),
          secretAccessKey,
          sessionToken,
          expiresAt: until,
        })
        const url = urlOf(signMskToken(session, ireland, start, until))
        expect(url.searchParams.get('X-Amz-Signature')).toBe(signatureOf(url, session))
        expect(url.searchParams.get('X-Amz-Security-Token')).toBe(sessionToken)
      }),
    )
  })

  it("has the signature that AWS's own signer makes", async () => {
    class Sha256 {
      readonly #key: string | Uint8Array | undefined
      #hash
      constructor(key?: string | Uint8Array) {
        this.#key = key
        this.#hash = this.#fresh()
      }
      #fresh() {
        return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key)
      }
      reset() {
        this.#hash = this.#fresh()
      }
      update(data: string | Uint8Array) {
        this.#hash.update(data)
      }
      async digest() {
        return new Uint8Array(this.#hash.digest())
      }
    }
    const url = urlOf(signMskToken(aSession(), ireland, now, later(300)))
    const signer = new SignatureV4({
      service: 'kafka-cluster',
      region: 'eu-west-1',
      credentials: aSession(),
      sha256: Sha256 as unknown as ConstructorParameters<typeof SignatureV4>[0]['sha256'],
    })
    const { query = {} } = await signer.presign(
      {
        method: 'GET',
        protocol: 'https:',
        hostname: url.host,
        path: '/',
        headers: { host: url.host },
        query: { Action: 'kafka-cluster:Connect' },
      },
      { signingDate: now, expiresIn: 300 },
    )
    expect({ ...query, 'User-Agent': 'switchboard' }).toEqual(Object.fromEntries(url.searchParams))
  })

  it('counts in whole seconds and never outlives its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 1_000, max: 899_000 }), (past, lifeMs) => {
        const start = new Date(now.getTime() + past)
        const until = new Date(start.getTime() + lifeMs)
        const { searchParams } = urlOf(signMskToken(aSession(), ireland, start, until))
        const expires = searchParams.get('X-Amz-Expires') ?? ''
        expect(expires).toMatch(/^[1-9]\d*$/)
        expect(searchParams.get('X-Amz-Date')).toMatch(/^\d{8}T\d{6}Z$/)
        const signedAt = Math.floor(start.getTime() / 1_000) * 1_000
        expect(signedAt + Number(expires) * 1_000).toBeLessThanOrEqual(until.getTime())
        expect(signedAt + Number(expires) * 1_000).toBeGreaterThan(until.getTime() - 1_000)
      }),
    )
  })

  it.each([0, -1, 901, 86_400, Number.NaN])('is not made for %d seconds', (seconds) => {
    expect(() => signMskToken(aSession({ expiresAt: later(90_000) }), ireland, now, later(seconds))).toThrow(
      /1 to 900 seconds/,
    )
  })

  it('is not made from a session that ends before it, or is over', () => {
    expect(() => signMskToken(aSession({ expiresAt: later(899) }), ireland, now, later(900))).toThrow(/session ends at/)
    expect(() => signMskToken(aSession({ expiresAt: later(-1) }), ireland, now, later(1))).toThrow(/session ends at/)
  })

  it('has the times of the clock of AWS where ours is wrong', () => {
    const session = aSession({ aheadMs: 600_000, expiresAt: later(4_200) })
    const { searchParams } = urlOf(signMskToken(session, ireland, now, later(900)))
    expect([searchParams.get('X-Amz-Date'), searchParams.get('X-Amz-Expires')]).toEqual(['20261121T121000Z', '900'])
  })

  it('is signed with the key of its day and region, also by a session that signed before', () => {
    const session = aSession({ expiresAt: later(90_000) })
    for (const [place, at] of [
      [ireland, now],
      [ireland, later(43_200)],
      [{ partition: 'aws', region: 'us-east-1' }, later(43_200)],
      [ireland, now],
    ] as const) {
      const url = urlOf(signMskToken(session, place, at, new Date(at.getTime() + 60_000)))
      const day = at.toISOString().slice(0, 10).replaceAll('-', '')
      expect(url.searchParams.get('X-Amz-Credential')).toMatch(`/${day}/${place.region}/kafka-cluster/aws4_request`)
      expect(url.searchParams.get('X-Amz-Signature')).toBe(signatureOf(url, session))
    }
  })
})
