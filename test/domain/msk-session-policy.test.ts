import { describe, expect, it } from 'vitest'
import type { Policy } from '../../shared/domain/policy.ts'
import type { IamPolicy } from '../fixtures/iam-simulation.ts'
import { checkSession } from '../fixtures/msk-session-checks.ts'
import { clusterArn, decisionIn, sessionIn, worldOf } from '../fixtures/msk-sessions.ts'

const arn = (kind: string, name: string): string => `${clusterArn.replace(':cluster/', `:${kind}/`)}/${name}`
const anything: IamPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kafka-cluster:*', Resource: '*' }],
}
const topic = { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' }
const events = { channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}.v3' }
const mine = (grant: Omit<Policy['grants'][number], 'principals'>): Policy['grants'][number] => ({
  principals: ['p'],
  ...grant,
})
const everything = mine({ produce: ['kafka://acme/**'], consume: ['kafka://acme/**'] })

const statementsOf = (...[policy, intent, labels]: Parameters<typeof worldOf>) =>
  sessionIn(worldOf(policy, intent, labels))?.policy.Statement

const refusalOf = (...[policy, intent, labels]: Parameters<typeof worldOf>): string | undefined => {
  const decision = decisionIn(worldOf(policy, intent, labels))
  return decision.outcome === 'deny' && decision.reason === 'no_session_policy' ? decision.detail : undefined
}

describe('the policy of a session', () => {
  it('of one who produces and consumes names each thing once', () => {
    const grants = [mine({ ...everything, groups: ['g-*'], transactionalIds: ['t-*', 't-1', 'u'] })]
    const intent = {
      produce: ['kafka://acme/a/b', 'kafka://acme/c'],
      consume: ['kafka://acme/c', 'kafka://acme/d'],
      group: 'g-1',
    }
    expect(statementsOf({ grants, routes: [topic] }, intent)).toEqual([
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'],
        Resource: clusterArn,
      },
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'],
        Resource: arn('topic', 'a.b'),
      },
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData', 'kafka-cluster:WriteData'],
        Resource: arn('topic', 'c'),
      },
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
        Resource: arn('topic', 'd'),
      },
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:AlterGroup', 'kafka-cluster:DescribeGroup'],
        Resource: arn('group', 'g-1'),
      },
      {
        Effect: 'Allow',
        Action: ['kafka-cluster:AlterTransactionalId', 'kafka-cluster:DescribeTransactionalId'],
        Resource: [arn('transactional-id', 't-*'), arn('transactional-id', 'u')],
      },
    ])
  })

  it('says a subtree by its prefix', () => {
    const [, topics] = statementsOf({ grants: [everything], routes: [topic] }, { consume: ['kafka://acme/a/**'] }) ?? []
    expect(topics?.Resource).toBe(arn('topic', 'a.?*'))
  })

  it('takes a `.` out of what one segment stands for, which IAM would let in', () => {
    const [, topics, , denials] =
      statementsOf({ grants: [everything], routes: [events] }, { consume: ['kafka://acme/orders/*'] }) ?? []
    expect([topics?.Resource, denials]).toEqual([
      arn('topic', 'orders.?*.v3'),
      {
        Effect: 'Deny',
        Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
        Resource: arn('topic', 'orders.*.*.v3'),
      },
    ])
  })

  it('is refused where a denial would take what another channel of it allows', () => {
    const routes = [
      { channel: 'kafka://acme/events/{n0}', cluster: 'main', topic: '{n0}.v3' },
      { channel: 'kafka://acme/longer', cluster: 'main', topic: 'a.b.v3' },
    ]
    const policy = { grants: [everything], routes }
    const events = 'kafka://acme/events/*'
    expect(refusalOf(policy, { consume: [events], produce: ['kafka://acme/longer'] })).toMatch(/cannot be told apart/)
    expect(refusalOf(policy, { consume: [events] })).toBeUndefined()
    expect(refusalOf(policy, { consume: ['kafka://acme/events/a'], produce: ['kafka://acme/longer'] })).toBeUndefined()
  })

  it('is not refused where no name could be meant by both', () => {
    const longer = { channel: 'kafka://acme/longer', cluster: 'main', topic: 'a.b.v3' }
    const dressed = { channel: 'kafka://acme/events/{n0}', cluster: 'main', topic: 'p-{n0}.v3' }
    const intent = { consume: ['kafka://acme/events/*'], produce: ['kafka://acme/longer'] }
    expect(refusalOf({ grants: [everything], routes: [dressed, longer] }, intent)).toBeUndefined()
    const routes = [
      { channel: 'kafka://acme/events/{n0}', cluster: 'main', topic: '{n0}.v3', shared: true },
      { channel: 'kafka://acme/others/{n0}', cluster: 'main', topic: 'w.{n0}', shared: true },
    ]
    const both = { consume: ['kafka://acme/events/*'], produce: ['kafka://acme/others/*'] }
    expect(refusalOf({ grants: [everything], routes }, both)).toBeUndefined()
  })

  it('may say the same subtree deep to one action and flat to the other', () => {
    const world = worldOf(
      { grants: [everything], routes: [topic] },
      { produce: ['kafka://acme/a/**'], consume: ['kafka://acme/a/*'] },
    )
    expect(sessionIn(world)).toBeDefined()
    expect(checkSession(world, anything)?.wrong).toEqual([])
  })

  it('cannot say a segment before a name before the rest, and says which names can', () => {
    const routes = [{ channel: 'kafka://acme/{n0}/**', cluster: 'main', topic: '{n0}.fix.{**}' }]
    expect(refusalOf({ grants: [everything], routes }, { consume: ['kafka://acme/**'] })).toMatch(
      /^no policy of AWS can say the topics of `kafka:\/\/acme\/\*\*`; ask for its channels by their names/,
    )
    expect(refusalOf({ grants: [everything], routes }, { consume: ['kafka://acme/a/b'] })).toBeUndefined()
  })

  it('is not for topics of channels with a `.` where a template takes one segment', () => {
    const world = worldOf({ grants: [everything], routes: [events] }, { consume: ['kafka://acme/orders/*'] })
    expect(checkSession(world, anything)?.wrong).toEqual([])
  })

  it('that is too long says what grants give instead, and no more of it than it must', () => {
    const grants = [mine({ produce: ['kafka://acme/orders/**', 'kafka://acme/other/**'] })]
    const orders = Array.from({ length: 30 }, (_, at) => `kafka://acme/orders/number-${at}`)
    const [, topics] =
      statementsOf({ grants, routes: [topic] }, { produce: [...orders, 'kafka://acme/other/one'] }) ?? []
    expect(topics?.Resource).toEqual([arn('topic', 'other.one'), arn('topic', 'orders.?*')])
  })

  it('that is too long says no prefix that an earlier route cuts into, nor one of a grant that has ended', () => {
    const produce = Array.from({ length: 30 }, (_, at) => `kafka://acme/orders/number-${at}`)
    const secret = { channel: 'kafka://acme/orders/secret', cluster: 'other', topic: 'secret' }
    const subtree = mine({ produce: ['kafka://acme/orders/**'] })
    expect(refusalOf({ grants: [subtree], routes: [secret, topic] }, { produce })).toMatch(
      /take \d+ characters in a policy of AWS, allowed: 2048/,
    )
    // nor one that other channels have on another cluster
    const elsewhere = { channel: 'kafka://acme/elsewhere/**', cluster: 'other', topic: 'orders.{**}' }
    const both = [mine({ produce: ['kafka://acme/orders/**', 'kafka://acme/elsewhere/**'] })]
    expect(refusalOf({ grants: both, routes: [secret, elsewhere, topic] }, { produce })).toMatch(/allowed: 2048/)
    const named = [mine({ produce }), { ...subtree, until: '2020-01-01' }]
    expect(refusalOf({ grants: named, routes: [topic] }, { produce })).toMatch(/allowed: 2048/)
    expect(refusalOf({ grants: [mine({ produce }), subtree], routes: [topic] }, { produce })).toBeUndefined()
    // nor one for the other action
    const other = mine({ consume: ['kafka://acme/orders/**'] })
    expect(refusalOf({ grants: [mine({ produce }), other], routes: [topic] }, { produce })).toMatch(/allowed: 2048/)
  })

  it('ends the lease with the token, and says that it did', () => {
    const decision = decisionIn(worldOf({ grants: [everything], routes: [topic] }, { produce: ['kafka://acme/a'] }))
    expect(decision).toMatchObject({ outcome: 'allow', times: { limit: 'clusters.main.msk-iam' } })
  })
})
