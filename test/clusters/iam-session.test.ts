import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AssumeRoleCommandInput, type Credentials, STS } from '@aws-sdk/client-sts'
import { afterEach, describe, expect, it } from 'vitest'
import { outageAsProblem } from '../../functions/resolve/outage.ts'
import {
  type CallSts,
  createAssumeRole,
  createIamSessions,
  type SessionRequest,
} from '../../shared/clusters/msk/iam-session.ts'
import type { IamSession } from '../../shared/clusters/msk/iam-token.ts'

const now = new Date('2026-11-21T12:00:00.000Z')
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000)

const aRequest = (changes: Partial<SessionRequest> = {}): SessionRequest => ({
  role: 'arn:aws:iam::111122223333:role/switchboard-msk',
  principal: 'orders-api',
  cluster: 'payments',
  policy: '{"Version":"2012-10-17","Statement":[]}',
  ...changes,
})

const named = (name: string, changes: object = {}): Error =>
  Object.assign(new Error('said by AWS'), { name, ...changes })

/** STS as far as one call of it goes. */
const simulateSts = (answer: () => Awaited<ReturnType<CallSts>>) => {
  const inputs: AssumeRoleCommandInput[] = []
  const sts: CallSts = async (input) => {
    inputs.push(input)
    return answer()
  }
  return { sts, inputs }
}

const credentials = (expiration: Date) => ({
  Credentials: { AccessKeyId: 'A', SecretAccessKey: 'S', SessionToken: 'T', Expiration: expiration },
})

describe('a session of a role', () => {
  it('has the policy, the name and the tags of its principal', async () => {
    const { sts, inputs } = simulateSts(() => credentials(later(3_600)))
    const session = await createAssumeRole(sts, () => now)(aRequest())
    expect(session).toEqual({
      accessKeyId: 'A',
      secretAccessKey: 'S',
      sessionToken: 'T',
      expiresAt: later(3_600),
      aheadMs: 0,
    })
    expect(inputs).toEqual([
      {
        RoleArn: 'arn:aws:iam::111122223333:role/switchboard-msk',
        RoleSessionName: 'orders-api',
        Policy: '{"Version":"2012-10-17","Statement":[]}',
        DurationSeconds: 3_600,
        Tags: [
          { Key: 'switchboard:principal', Value: 'orders-api' },
          { Key: 'switchboard:cluster', Value: 'payments' },
        ],
      },
    ])
  })

  it('knows how far the clock of AWS is ahead, and takes no delay of the network for it', async () => {
    const aheadOf = async (seconds: number) => {
      const { sts } = simulateSts(() => credentials(later(3_600 + seconds)))
      return (await createAssumeRole(sts, () => now)(aRequest())).aheadMs
    }
    expect(await Promise.all([0, 20, -20, 300, -7_200].map(aheadOf))).toEqual([0, 0, 0, 300_000, -7_200_000])
  })

  it.each([
    ['AccessDenied', 'unavailable', 60],
    ['ExpiredTokenException', 'unavailable', 60],
    ['RegionDisabledException', 'unavailable', 60],
    ['ValidationError', 'unavailable', 60],
    ['PackedPolicyTooLargeException', 'invalid_intent', undefined],
    ['PackedPolicyTooLarge', 'invalid_intent', undefined],
    ['MalformedPolicyDocumentException', 'invalid_intent', undefined],
  ])('that AWS refuses with %s is the problem %s', async (name, code, retryAfterSeconds) => {
    const { sts } = simulateSts(() => {
      throw named(name)
    })
    await expect(createAssumeRole(sts, () => now)(aRequest())).rejects.toMatchObject({
      code,
      retryAfterSeconds,
      reason: expect.stringContaining('arn:aws:iam::111122223333:role/switchboard-msk'),
    })
  })

  it.each([
    named('Throttling', { $retryable: { throttling: true } }),
    named('ThrottlingException'),
    named('TimeoutError'),
    named('InternalFailure', { $metadata: { httpStatusCode: 500 } }),
    named('Error', { code: 'ENOTFOUND' }),
  ])('that AWS is too busy for, or away, is a problem for some seconds: $name', async (thrown) => {
    const { sts } = simulateSts(() => {
      throw thrown
    })
    const error = await createAssumeRole(sts, () => now)(aRequest()).catch((error: unknown) => error)
    expect(outageAsProblem(error)).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 })
  })

  it('without credentials is none', async () => {
    const { sts } = simulateSts(() => ({ Credentials: { AccessKeyId: 'A' } as Credentials }))
    await expect(createAssumeRole(sts, () => now)(aRequest())).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('STS over HTTP', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** The AWS client as resolve has it, at an address that answers everything so. */
  const sessionFrom = async (status: number, body: string, endpoint?: string) => {
    let requests = 0
    const server = createServer((_, response) => {
      requests++
      response.writeHead(status, { 'content-type': 'text/xml', connection: 'close' }).end(body)
    })
    servers.push(server.listen(0, '127.0.0.1'))
    await once(server, 'listening')
    const sts = new STS({
      region: 'eu-west-1',
      endpoint: endpoint ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: { accessKeyId: 'A', secretAccessKey: 'S' },
      requestHandler: { connectionTimeout: 500, requestTimeout: 1_000 },
      maxAttempts: 3,
    })
    const assumeRole = createAssumeRole(
      (input) => sts.assumeRole(input),
      () => now,
    )
    const outcome = await assumeRole(aRequest()).catch(outageAsProblem)
    return { outcome, requests }
  }
  const refusal = (code: string) =>
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>said by AWS</Message></Error><RequestId>1</RequestId></ErrorResponse>`

  it.each([
    ['Throttling', 400, 'unavailable', 2, 3],
    ['InternalFailure', 500, 'unavailable', 2, 3],
    ['AccessDenied', 403, 'unavailable', 60, 1],
    ['RegionDisabledException', 403, 'unavailable', 60, 1],
    ['ExpiredTokenException', 400, 'unavailable', 60, 1],
    ['InvalidClientTokenId', 403, 'unavailable', 60, 1],
    ['ValidationError', 400, 'unavailable', 60, 1],
    ['PackedPolicyTooLarge', 400, 'invalid_intent', undefined, 1],
    ['MalformedPolicyDocument', 400, 'invalid_intent', undefined, 1],
  ])('that says %s is understood, and asked again only where that helps', async (said, status, code, wait, asked) => {
    const { outcome, requests } = await sessionFrom(status, refusal(said))
    expect(outcome).toMatchObject({ code, retryAfterSeconds: wait, reason: expect.stringContaining('said by AWS') })
    expect(requests).toBe(asked)
  })

  it('of a region that does not exist is away', async () => {
    const { outcome } = await sessionFrom(200, '', 'http://sts.xx-nowhere-1.invalid')
    expect(outcome).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 })
  })
})

describe('sessions in memory', () => {
  const counted = (expiresAt: () => Date = () => later(3_600)) => {
    const asked: SessionRequest[] = []
    const sessions = createIamSessions(async (request): Promise<IamSession> => {
      asked.push(request)
      return {
        accessKeyId: 'A',
        secretAccessKey: 'S',
        sessionToken: `T${asked.length}`,
        expiresAt: expiresAt(),
        aheadMs: 0,
      }
    })
    return { sessions, asked }
  }

  it('are asked for once for as long as they cover a token, by many at a time too', async () => {
    const { sessions, asked } = counted()
    const tokens = await Promise.all(Array.from({ length: 10 }, () => sessions(aRequest(), later(900))))
    expect(new Set(tokens.map(({ sessionToken }) => sessionToken))).toEqual(new Set(['T1']))
    expect((await sessions(aRequest(), later(3_600))).sessionToken).toBe('T1')
    expect((await sessions(aRequest(), later(3_601))).sessionToken).toBe('T2')
    expect(asked).toHaveLength(2)
  })

  it.each([{ role: 'another' }, { principal: 'another' }, { cluster: 'another' }, { policy: 'another' }])(
    'are never those of %o',
    async (changes) => {
      const { sessions } = counted()
      const mine = await sessions(aRequest(), later(900))
      expect(await sessions(aRequest(changes), later(900))).not.toBe(mine)
      expect(await sessions(aRequest(), later(900))).toBe(mine)
    },
  )

  it('that could not be had are asked for again', async () => {
    let isDown = true
    const sessions = createIamSessions(async () => {
      if (isDown) throw named('Throttling')
      return { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T', expiresAt: later(3_600), aheadMs: 0 }
    })
    const [first, second] = await Promise.allSettled([
      sessions(aRequest(), later(900)),
      sessions(aRequest(), later(900)),
    ])
    expect([first.status, second.status]).toEqual(['rejected', 'rejected'])
    isDown = false
    expect((await sessions(aRequest(), later(900))).sessionToken).toBe('T')
  })

  it('count their time by the clock of AWS', async () => {
    let count = 0
    const sessions = createIamSessions(async () => {
      count += 1
      return { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T', expiresAt: later(7_200), aheadMs: 3_600_000 }
    })
    await sessions(aRequest(), later(900))
    await sessions(aRequest(), later(3_600))
    expect(count).toBe(1)
    await sessions(aRequest(), later(3_601))
    expect(count).toBe(2)
  })
})
