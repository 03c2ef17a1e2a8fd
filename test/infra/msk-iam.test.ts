import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IamPolicy } from '../fixtures/iam-simulation.ts'
import { mayDo } from '../fixtures/iam-simulation.ts'
import { checkSession } from '../fixtures/msk-session-checks.ts'
import { anyWorld, clusterArn } from '../fixtures/msk-sessions.ts'
import { rendered, type Synthesized, synthesize } from './stack.ts'

type Statement = {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource: unknown
}

const listed = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

const serverless = 'arn:aws:kafka:eu-west-1:111122223333:cluster/small/1d0c0b0a-1111-2222-3333-444455556666-s1'

/** What a role may do, as the template says it. */
const policyOf = ({ ofType }: Synthesized, role: string): IamPolicy => ({
  Version: '2012-10-17',
  Statement: Object.values(ofType('AWS::IAM::Policy'))
    .filter(({ Properties }) => Properties.Roles.map(rendered).includes(role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
    .map(({ Effect, Action, Resource }) => ({ Effect, Action, Resource: listed(Resource).map(rendered) })),
})

const stack = synthesize({ mskIamClusters: [clusterArn, serverless] })
const ofClients = policyOf(stack, '<MskClientsRole>')

describe('the role that principals are on MSK clusters', () => {
  it('with the session policy of a principal allows exactly what was asked for and is granted', () => {
    let [sessions, allowed, denied] = [0, 0, 0]
    fc.assert(
      fc.property(anyWorld, (world) => {
        const checked = checkSession(world, ofClients)
        if (checked === undefined) return
        sessions += 1
        allowed += checked.allowed
        denied += checked.denied
        expect(checked.wrong.slice(0, 5)).toEqual([])
      }),
      { numRuns: 2_500, seed: 10 },
    )
    expect(sessions).toBeGreaterThan(500)
    expect(allowed).toBeGreaterThan(5_000)
    expect(denied).toBeGreaterThan(50_000)
  })

  it('may do what clients do on each of these clusters, and administer none', () => {
    const on = (cluster: string, kind: string, name: string) => `${cluster.replace(':cluster/', `:${kind}/`)}/${name}`
    const may = (action: string, resource: string) => mayDo([ofClients], `kafka-cluster:${action}`, resource)
    for (const cluster of [clusterArn, serverless]) {
      expect(may('Connect', cluster)).toBe(true)
      expect(may('ReadData', on(cluster, 'topic', 'any'))).toBe(true)
      for (const action of ['CreateTopic', 'DeleteTopic', 'AlterTopic'])
        expect(may(action, on(cluster, 'topic', 'any'))).toBe(false)
      for (const action of ['AlterCluster', 'AlterClusterDynamicConfiguration'])
        expect(may(action, cluster)).toBe(false)
      expect(may('DeleteGroup', on(cluster, 'group', 'any'))).toBe(false)
    }
    expect(may('Connect', clusterArn.replace('main', 'mains'))).toBe(false)
  })

  it('trusts resolve alone, for sessions with tags', () => {
    const [role] = Object.values(stack.ofType('AWS::IAM::Role')).filter(({ Properties }) =>
      String(Properties.Description).includes('principals are on MSK clusters'),
    )
    expect(role?.Properties.MaxSessionDuration).toBe(3_600)
    expect(
      role?.Properties.AssumeRolePolicyDocument.Statement.map((statement: Record<string, unknown>) => ({
        ...statement,
        Principal: rendered((statement.Principal as { readonly AWS: unknown }).AWS),
      })),
    ).toEqual([{ Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Principal: '<ResolveRole.Arn>' }])
  })

  it('is the only one that resolve may be, and resolve knows which', () => {
    const assumable = policyOf(stack, '<ResolveRole>').Statement.filter(({ Action }) =>
      listed(Action).some((action) => action.startsWith('sts:')),
    )
    expect(assumable).toEqual([
      { Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: ['<MskClientsRole.Arn>'] },
    ])
    const { Environment } = stack.properties('AWS::Lambda::Function', 'ResolveFunction')
    expect(rendered(Environment.Variables.MSK_ROLE_ARN)).toBe('<MskClientsRole.Arn>')
  })

  it('is not there without such clusters', () => {
    const plain = synthesize()
    expect(JSON.stringify(plain.resources)).not.toContain('MskClients')
    expect(plain.properties('AWS::Lambda::Function', 'ResolveFunction').Environment.Variables).not.toHaveProperty(
      'MSK_ROLE_ARN',
    )
  })

  it.each(['*', 'main', 'arn:aws:kafka:eu-west-1:111122223333:cluster/*', `${clusterArn}*`])(
    'is not for `%s`',
    (wrong) => {
      expect(() => synthesize({ mskIamClusters: [wrong] })).toThrow(`\`mskIamClusters\` has \`${wrong}\``)
    },
  )
})

describe('other roles that principals may be', () => {
  const role = 'arn:aws:iam::444455556666:role/kafka/of-*'

  it('are those that the deploy names', () => {
    const assumable = policyOf(synthesize({ mskRoles: [role] }), '<ResolveRole>').Statement.filter(({ Action }) =>
      listed(Action).some((action) => action.startsWith('sts:')),
    )
    expect(assumable).toEqual([{ Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Resource: [role] }])
  })

  it.each([
    '*',
    'arn:aws:iam::*:role/x',
    'arn:aws:iam::444455556666:role/*',
    'arn:aws:iam::444455556666:role/a*b*',
    'arn:aws:iam::444455556666:user/x',
  ])('are never `%s`', (wrong) => {
    expect(() => synthesize({ mskRoles: [wrong] })).toThrow(`\`mskRoles\` has \`${wrong}\``)
  })
})
