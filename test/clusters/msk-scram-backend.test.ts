import { beforeEach, describe, expect, it, test } from 'vitest'
import type { CredentialBackend } from '../../shared/clusters/credential-backend.ts'
import { reasonOfError, reasonOfUnprocessed } from '../../shared/clusters/msk/reasons.ts'
import { createMskScramBackend } from '../../shared/clusters/msk/scram-backend.ts'
import { mskSecretName } from '../../shared/domain/msk-secret-name.ts'
import { slotOfUser } from '../../shared/domain/principal.ts'
import { simulateAssociations } from '../fixtures/simulated-associations.ts'

const arnOf = (name: string, end = 'AbCdEf') => `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}-${end}`
const arnOfUser = (user: string, end?: string) => {
  const [principal = '', slot] = user.replace('sb.', '').split('@')
  return arnOf(mskSecretName('prod', { cluster: 'main', principal, slot: slot === 'b' ? 'b' : 'a' }), end)
}
const foreign = [
  arnOf('AmazonMSK_alice'),
  arnOf('AmazonMSK_switchboard_other_main_billing_slot_a'),
  arnOf('AmazonMSK_switchboard_prod_analytics_billing_slot_a'),
  arnOf('AmazonMSK_switchboard_prod_main_billing-2_slot_a'),
]

let msk: ReturnType<typeof simulateAssociations>
let secrets: Map<string, string>
let backend: CredentialBackend
beforeEach(() => {
  msk = simulateAssociations(3)
  for (const arn of foreign) msk.arns.add(arn)
  secrets = new Map()
  backend = createMskScramBackend({
    kafka: msk.client,
    clusterArn: 'the-cluster',
    stack: 'prod',
    slotOf: (user) => {
      const found = slotOfUser('sb.', user)
      return found && { cluster: 'main', ...found }
    },
    secretArnOf: async ({ principal, slot }) => secrets.get(`sb.${principal}@${slot}`),
    verify: async () => new Map(),
    maximumUsers: 8,
  })
})

const withSecrets = (...users: readonly string[]) =>
  users.map((name) => {
    secrets.set(name, arnOfUser(name))
    return { name, username: name, password: 'never seen by MSK' }
  })
const some = (count: number) => Array.from({ length: count }, (_, at) => `sb.p${at}@a`)
const only = (outcome: string, ...names: readonly string[]) => new Map(names.map((name) => [name, { outcome }]))
const changes = () => msk.calls.filter((call) => call !== 'list')
const ours = () => [...msk.arns].filter((arn) => !foreign.includes(arn))

describe('users of an MSK cluster', () => {
  it('are associated ten at a time, beside whoever is there', async () => {
    const users = withSecrets(...some(23))

    expect(await backend.create(users)).toEqual(only('done', ...some(23)))

    expect(changes()).toEqual(['associate 10', 'associate 10', 'associate 3'])
    expect([...msk.arns]).toEqual([...foreign, ...some(23).map((user) => arnOfUser(user))])
  })

  it('that are there are not associated again', async () => {
    const users = withSecrets('sb.billing@a', 'sb.billing@b')
    await backend.create(users)
    msk.calls.length = 0

    expect(await backend.create(users)).toEqual(only('done', 'sb.billing@a', 'sb.billing@b'))

    expect(changes()).toEqual([])
  })

  it('are taken away one by one, and nobody whose secret is called similarly', async () => {
    await backend.create(withSecrets('sb.billing@a', 'sb.billing@b'))

    expect(await backend.revoke(['sb.billing@a'])).toEqual(only('done', 'sb.billing@a'))
    expect(ours()).toEqual([arnOfUser('sb.billing@b')])

    expect(await backend.revoke(['sb.billing@a', 'sb.billing@b', 'sb.nobody@a'])).toEqual(
      only('done', 'sb.billing@a', 'sb.billing@b', 'sb.nobody@a'),
    )
    expect([...msk.arns]).toEqual(foreign)
  })

  it('lose every secret of their name, though one was destroyed and made anew', async () => {
    msk.arns.add(arnOfUser('sb.billing@a', 'Before'))
    await backend.create(withSecrets('sb.billing@a'))
    expect(ours()).toHaveLength(2)

    await backend.revoke(['sb.billing@a'])

    expect(ours()).toEqual([])
  })

  it('of another prefix are nobody’s: neither made nor taken away', async () => {
    const users = withSecrets('other.billing@a')

    expect((await backend.create(users)).get('other.billing@a')).toMatchObject({ reason: 'secret_unseen' })
    expect(await backend.revoke(['other.billing@a'])).toEqual(only('done', 'other.billing@a'))

    expect(changes()).toEqual([])
  })

  it('without a secret are not made, and the others are', async () => {
    const outcomes = await backend.create([
      ...withSecrets('sb.billing@a'),
      { name: 'sb.gone@a', username: 'sb.gone@a', password: '' },
    ])

    expect(outcomes.get('sb.billing@a')).toEqual({ outcome: 'done' })
    expect(outcomes.get('sb.gone@a')).toMatchObject({ outcome: 'failed', reason: 'secret_unseen' })
  })
})

describe('the names on an MSK cluster', () => {
  it('are free or taken, over all pages', async () => {
    await backend.create(withSecrets('sb.billing@a'))

    expect(await backend.look(['sb.billing@a', 'sb.billing@b'])).toEqual(
      new Map([...only('taken', 'sb.billing@a'), ...only('free', 'sb.billing@b')]),
    )
  })

  it('have room for as many as the cluster takes, strangers included', async () => {
    const looked = await backend.look(some(5))

    expect([...looked.values()].map((each) => (each.outcome === 'failed' ? each.reason : each.outcome))).toEqual([
      ...Array(4).fill('free'),
      'cluster_full',
    ])
    expect(looked.get('sb.p4@a')).toMatchObject({ error: { message: expect.stringContaining('8 SCRAM users of 8') } })
    expect(changes()).toEqual([])
  })
})

describe('what MSK did not process', () => {
  it('fails alone and with its own reason', async () => {
    const users = withSecrets('sb.seen@a', 'sb.unseen@a', 'sb.denied@a')
    const refuse = (user: string, ErrorMessage: string) =>
      msk.unprocessed.set(arnOfUser(user), { ErrorCode: 'InvalidSecretArn', ErrorMessage })
    refuse('sb.unseen@a', "Amazon MSK wasn't able to access the provided secret.")
    refuse('sb.denied@a', 'You are not authorized to invoke the CreateGrant operation on the KMS key.')

    const outcomes = await backend.create(users)

    expect(outcomes.get('sb.seen@a')).toEqual({ outcome: 'done' })
    expect(outcomes.get('sb.unseen@a')).toMatchObject({ reason: 'secret_unseen' })
    expect(outcomes.get('sb.denied@a')).toMatchObject({ reason: 'secret_denied' })
    msk.unprocessed.clear()
    expect(await backend.create(users)).toEqual(only('done', 'sb.seen@a', 'sb.unseen@a', 'sb.denied@a'))
  })

  it('counts as done when it is as it was to be', async () => {
    const users = withSecrets('sb.billing@a')
    const arn = arnOfUser('sb.billing@a')
    msk.unprocessed.set(arn, { ErrorCode: 'InvalidSecretArn', ErrorMessage: 'already associated' })
    msk.afterEach(() => msk.arns.add(arn))
    expect(await backend.create(users)).toEqual(only('done', 'sb.billing@a'))

    msk.unprocessed.set(arn, { ErrorCode: 'InvalidSecretArn', ErrorMessage: 'not associated' })
    msk.afterEach(() => msk.arns.delete(arn))
    expect(await backend.revoke(['sb.billing@a'])).toEqual(only('done', 'sb.billing@a'))
  })

  it('of a call that failed is its batch, and the next goes on', async () => {
    const users = withSecrets(...some(12))
    msk.failNext(Object.assign(new Error('slow down'), { name: 'TooManyRequestsException' }))

    const outcomes = await backend.create(users)

    expect(outcomes.get('sb.p0@a')).toMatchObject({ outcome: 'failed', reason: 'cluster_unavailable' })
    expect(outcomes.get('sb.p11@a')).toEqual({ outcome: 'done' })
  })
})

test.each([
  ['InvalidSecretArn', "Amazon MSK wasn't able to access the provided secret.", 'secret_unseen'],
  // seen for right names right after they were made
  [
    'InvalidSecretArn',
    "The provided secret arn cannot be used with Amazon MSK. Secret names must have the prefix 'AmazonMSK_'.",
    'secret_unseen',
  ],
  ['InvalidSecretArn', 'You are not authorized to invoke the CreateGrant operation on the KMS key.', 'secret_denied'],
  [
    'InvalidSecretArn',
    'A secret that is encrypted with the default AWS KMS key cannot be used with Amazon MSK.',
    'secret_unusable',
  ],
  ['InvalidSecretArn', 'The secret must be in the same account and region as the cluster.', 'secret_unusable'],
  ['LimitExceeded', 'The cluster has reached its limit of SCRAM users.', 'cluster_full'],
  ['ThrottlingException', 'Rate limit exceeded.', 'cluster_unavailable'],
  ['InternalError', 'There was an unexpected internal server error.', 'cluster_unavailable'],
  ['SomethingNew', 'Nobody knows.', 'cluster_failed'],
])('an unprocessed secret with %s, "%s" is %s', (ErrorCode, ErrorMessage, reason) => {
  expect(reasonOfUnprocessed({ ErrorCode, ErrorMessage })).toBe(reason)
})

test.each([
  ['TooManyRequestsException', 'cluster_unavailable'],
  ['ServiceUnavailableException', 'cluster_unavailable'],
  ['TimeoutError', 'cluster_unavailable'],
  ['ForbiddenException', 'cluster_denied'],
  ['AccessDeniedException', 'cluster_denied'],
  ['NotFoundException', 'cluster_failed'],
  ['BadRequestException', 'cluster_failed'],
])('a call that failed with %s is %s', (name, reason) => {
  expect(reasonOfError(Object.assign(new Error('no'), { name }))).toBe(reason)
})
