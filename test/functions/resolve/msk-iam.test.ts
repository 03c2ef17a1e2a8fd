import { describe, expect, it } from 'vitest'
import {
  type AssumeRole,
  type CallSts,
  createAssumeRole,
  type SessionRequest,
} from '../../../shared/clusters/msk/iam-session.ts'
import { SwitchboardError } from '../../../shared/domain/errors.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { clusterArn } from '../../fixtures/msk-sessions.ts'
import { aCluster, aPolicy, now } from '../../fixtures/policies.ts'
import { aSwitchboard } from './a-switchboard.ts'

const role = 'arn:aws:iam::111122223333:role/switchboard-msk'
const mskCluster: Policy['clusters'][string] = {
  provider: 'msk',
  arn: clusterArn,
  auth: ['msk-iam'],
  bootstrap: 'b-1.main.kafka.eu-west-1.amazonaws.com:9098',
}

const policyWith = (
  changes: Partial<Policy['clusters'][string]> = {},
  grants: Partial<Policy['grants'][number]> = {},
) =>
  aPolicy({
    clusters: { main: { ...mskCluster, ...changes }, other: aCluster() },
    grants: [
      { principals: ['orders-api'], produce: ['kafka://acme/orders/**'], consume: ['kafka://acme/**'], ...grants },
    ],
    routes: [
      { channel: 'kafka://acme/elsewhere/**', cluster: 'other', topic: '{path}' },
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
    ],
  })

const aStack = async (policy: Policy = policyWith(), assumeRole?: AssumeRole) => {
  const asked: SessionRequest[] = []
  let elapsed = 0
  const stack = await aSwitchboard({
    policy,
    mskRole: role,
    assumeRole:
      assumeRole ??
      (async (request) => {
        asked.push(request)
        return {
          accessKeyId: 'ASIA',
          secretAccessKey: 'the secret of a session',
          sessionToken: `session ${asked.length}`,
          expiresAt: new Date(now.getTime() + elapsed * 1_000 + 3_600_000),
          aheadMs: 0,
        }
      }),
  })
  return {
    ...stack,
    asked,
    setTime: (seconds: number) => {
      elapsed = seconds
      stack.setTime(seconds)
    },
    resolve: (body: unknown, headers: Record<string, string> = {}) => stack.resolve(body, { headers }),
  }
}

const created = { produce: ['kafka://acme/orders/created'], client: { instance: 'pod-1' } }

type Connection = {
  readonly properties: Readonly<Record<string, unknown>>
  readonly credential: { readonly kind: string; readonly token: string; readonly expiresAt: string }
}
const connectionIn = (body: unknown): Connection => (body as { connections: Connection[] }).connections[0] as Connection

describe('resolve for a cluster with `msk-iam`', () => {
  it('answers with a token of a session that may do what was asked for, and waits for no ACL', async () => {
    const { resolve, asked, messages } = await aStack()
    const { status, body } = await resolve(created)
    expect(status).toBe(200)
    const { properties, credential } = connectionIn(body)
    expect(properties).toMatchObject({
      'bootstrap.servers': 'b-1.main.kafka.eu-west-1.amazonaws.com:9098',
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'OAUTHBEARER',
    })
    expect(credential).toEqual({
      kind: 'msk-iam',
      token: expect.any(String),
      expiresAt: new Date(now.getTime() + 900_000).toISOString(),
    })
    const url = new URL(Buffer.from(credential.token, 'base64url').toString())
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900')
    expect(asked).toEqual([{ role, principal: 'orders-api', cluster: 'main', policy: expect.any(String) }])
    expect(asked[0]?.policy).toContain('/orders.created"')
    expect(asked[0]?.policy).not.toContain('ReadData')
    expect(messages).toEqual([])
  })

  it('says nothing of the secret of a session, in no answer and no line of the log', async () => {
    const { resolve, telemetry } = await aStack()
    const { text } = await resolve(created)
    expect(text + JSON.stringify(telemetry.audits)).not.toContain('the secret of a session')
  })

  it('ends the lease with the token, and renews it before', async () => {
    const { resolve, asked, setTime } = await aStack()
    const first = await resolve(created)
    const { lease } = first.body as { lease: { id: string; expiresAt: string; refreshAfter: string } }
    expect(lease.expiresAt).toBe(connectionIn(first.body).credential.expiresAt)
    const etag = first.headers.etag ?? ''
    setTime(500)
    const renewed = await resolve({ ...created, lease: lease.id }, { 'if-none-match': etag })
    // the token at hand does not live past the next refresh, so there is a new one, of the same session
    expect(renewed.status).toBe(200)
    expect(renewed.headers.etag).toBe(etag)
    expect(connectionIn(renewed.body).credential.token).not.toBe(connectionIn(first.body).credential.token)
    expect(asked).toHaveLength(1)
    setTime(3_000)
    await resolve(created)
    expect(asked).toHaveLength(2)
  })

  it('gives a token no longer than the grant', async () => {
    const { resolve } = await aStack(policyWith({}, { maxLease: '2m' }))
    const { credential } = connectionIn((await resolve(created)).body)
    expect(credential.expiresAt).toBe(new Date(now.getTime() + 120_000).toISOString())
    const url = new URL(Buffer.from(credential.token, 'base64url').toString())
    expect(url.searchParams.get('X-Amz-Expires')).toBe('120')
  })

  it('is the role that the policy names for the principal', async () => {
    const template = 'arn:aws:iam::444455556666:role/kafka/of-{principal}'
    const { resolve, asked } = await aStack(policyWith({ iam: { role: template } }))
    expect((await resolve(created)).status).toBe(200)
    expect(asked[0]?.role).toBe('arn:aws:iam::444455556666:role/kafka/of-orders-api')
  })

  it('audits what it hands out, and what it could not', async () => {
    const { resolve, telemetry } = await aStack()
    await resolve(created)
    expect(telemetry.audits).toContainEqual(
      expect.objectContaining({
        event: 'credential',
        outcome: 'allow',
        cluster: 'main',
        role,
        principal: 'orders-api',
      }),
    )
    const refusing = await aStack(policyWith(), async () => {
      throw new SwitchboardError('unavailable', { reason: 'AccessDenied', retryAfterSeconds: 60 })
    })
    const { status, body, headers } = await refusing.resolve(created)
    expect([status, body.code, body.retryable, headers['retry-after']]).toEqual([503, 'unavailable', true, '60'])
    expect(refusing.telemetry.audits).toContainEqual(
      expect.objectContaining({
        event: 'credential',
        outcome: 'deny',
        reason: expect.stringContaining('AccessDenied'),
      }),
    )
  })

  const away = (code: string) => Object.assign(new Error(`getaddrinfo ${code} sts.eu-west-1.amazonaws.com`), { code })
  const said = (name: string, more: object = {}) => Object.assign(new Error(`said of ${role}`), { name, ...more })

  // AWS says the same of a policy of an organisation that denies, of a role that does not trust us, and of one that is not there
  it.each([
    ['is throttled', said('Throttling', { $retryable: { throttling: true } }), 503, 'unavailable', '2'],
    ['does not answer in time', said('TimeoutError'), 503, 'unavailable', '2'],
    ['has a fault', said('InternalFailure', { $metadata: { httpStatusCode: 500 } }), 503, 'unavailable', '2'],
    ['is in a region that does not exist', away('ENOTFOUND'), 503, 'unavailable', '2'],
    ['is in a region that is switched off', said('RegionDisabledException'), 503, 'unavailable', '60'],
    ['denies us the role, or the role does not trust us', said('AccessDenied'), 503, 'unavailable', '60'],
    ['takes no role of such a name', said('ValidationError'), 503, 'unavailable', '60'],
    ['packs policy and tags to too much', said('PackedPolicyTooLarge'), 400, 'invalid_intent', undefined],
    ['takes no such policy', said('MalformedPolicyDocument'), 400, 'invalid_intent', undefined],
  ] as const)(
    'hands out nothing when STS %s, says when to come back, and audits why',
    async (_, thrown, ...expected) => {
      const sts: CallSts = () => Promise.reject(thrown)
      const { resolve, leases, telemetry } = await aStack(
        policyWith(),
        createAssumeRole(sts, () => now),
      )
      const { status, body, headers, text } = await resolve(created)
      expect([status, body.code, headers['retry-after']]).toEqual(expected)
      expect(body.retryable).toBe(status === 503)
      expect(text).not.toContain(role)
      expect(await leases.list('orders-api', now)).toEqual([])
      const denials = telemetry.audits.filter(({ event, outcome }) => event === 'credential' && outcome === 'deny')
      expect(denials).toEqual([
        expect.objectContaining({ principal: 'orders-api', cluster: 'main', role, lease: expect.any(String) }),
      ])
      expect(denials[0]?.reason).toContain(thrown.message)
    },
  )

  it.each([600, -7_200])('has tokens of the time of AWS whose clock is %d s ahead of ours', async (ahead) => {
    const aws = new Date(now.getTime() + ahead * 1_000)
    const Credentials = {
      AccessKeyId: 'ASIA',
      SecretAccessKey: 'S',
      SessionToken: 'T',
      Expiration: new Date(aws.getTime() + 3_600_000),
    }
    const sts: CallSts = async () => ({ Credentials })
    const { resolve } = await aStack(
      policyWith(),
      createAssumeRole(sts, () => now),
    )
    const { status, body } = await resolve(created)
    expect(status).toBe(200)
    const { searchParams } = new URL(Buffer.from(connectionIn(body).credential.token, 'base64url').toString())
    expect(searchParams.get('X-Amz-Date')).toBe(aws.toISOString().replace(/[-:]|\.\d{3}/g, ''))
    expect(searchParams.get('X-Amz-Expires')).toBe('900')
  })

  it('without a role of the stack, names what is missing to the platform team alone', async () => {
    const stack = await aSwitchboard({ policy: policyWith() })
    const { status, text } = await stack.resolve(created)
    expect(status).toBe(503)
    expect(text).not.toContain('mskIamClusters')
    expect(JSON.stringify(stack.telemetry.audits)).toContain('mskIamClusters')
  })

  it('refuses what no session policy can hold, with what to do', async () => {
    const produce = Array.from({ length: 60 }, (_, at) => `kafka://acme/orders-${at}/a-topic-with-a-name`)
    const grants = { produce, consume: undefined }
    const { resolve } = await aStack(policyWith({}, grants as Partial<Policy['grants'][number]>))
    const { status, body } = await resolve({ produce })
    expect([status, body.code]).toEqual([400, 'invalid_intent'])
    expect(body.detail).toMatch(/characters in a policy of AWS, allowed: 2048; ask for fewer channels/)
    expect((await resolve({ produce: produce.slice(0, 5) })).status).toBe(200)
  })

  it('has a stored credential for files, which can hold no such token, and no file where there is none', async () => {
    const accept = 'text/x-java-properties'
    const { resolve } = await aStack()
    const refused = await resolve(created, { accept })
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_intent'])
    const both = await aStack(policyWith({ auth: ['msk-iam', 'scram'], admin: { secret: 's' } }))
    const { status, body } = await both.resolve(created, { accept })
    expect([status, body.code]).toEqual([503, 'credential_not_ready'])
    expect(both.asked).toEqual([])
  })
})
