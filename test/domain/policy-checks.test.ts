import { describe, expect, test } from 'vitest'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { type Policy, policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy, checkPolicyForIssuer } from '../../shared/domain/policy-checks.ts'
import { aCluster, aPolicy } from '../fixtures/policies.ts'

const pathsAndDetails = (issues: readonly { path: readonly PropertyKey[]; detail: string }[]): readonly string[] =>
  issues.map(({ path, detail }) => `${path.join('.')}: ${detail}`)

const check = (changes: Partial<Policy>): readonly string[] => {
  const policy = aPolicy(changes)
  const { directory, issues } = compileDirectory(policy, '')
  expect(issues).toEqual([])
  return pathsAndDetails(checkPolicy(policy, directory))
}

const checkFor = (issuerUrl: string, changes: Partial<Policy>): readonly string[] =>
  pathsAndDetails(checkPolicyForIssuer(compileDirectory(aPolicy(changes), '').directory, issuerUrl))

const login = { issuer: 'https://login.acme.com', audience: 'switchboard' }
const github = { issuer: 'https://token.actions.githubusercontent.com', audience: 'switchboard' }

test('a policy without faults passes', () => {
  expect(check({})).toEqual([])
})

describe('names of several identity rules', () => {
  test('two issuers whose templates have no fixed beginning are refused at the later one', () => {
    expect(check({ identities: [login, github] })).toEqual([
      'identities.1.principal: `{sub}` and `{sub}` of `identities[0]` can give two workloads one name; allowed: templates with fixed beginnings that differ, such as `acme.{sub}`',
    ])
  })

  test.each([
    ['a beginning that another template can render', '{sub}', 'gh.{sub}'],
    ['a beginning that is the beginning of another', 'gh.{sub}', 'gh.ci.{sub}'],
    ['a name that another template can render', 'acme.{sub}', 'acme.billing'],
  ])('%s is refused', (_, first, second) => {
    const identities = [
      { ...login, principal: first },
      { ...github, principal: second },
    ]
    expect(check({ identities })).toEqual([expect.stringContaining('can give two workloads one name')])
  })

  test.each([
    ['beginnings differ', 'acme.{sub}', 'gh.{sub}'],
    ['ends differ', '{sub}.acme', '{sub}.gh'],
    ['both write out the same name', 'billing', 'billing'],
  ])('two issuers pass when %s', (_, first, second) => {
    const identities = [
      { ...login, principal: first },
      { ...github, principal: second },
    ]
    expect(check({ identities })).toEqual([])
  })

  test('several rules of one issuer may use one template: what renders alike is one workload', () => {
    const identities = [
      { ...login, claims: { env: 'prod' }, labels: { env: 'prod' } },
      { ...login, labels: { env: 'other' } },
    ]
    expect(check({ identities })).toEqual([])
  })

  test('two templates of one issuer that read different claims are refused', () => {
    const identities = [
      { ...login, claims: { kind: 'job' }, principal: '{job}' },
      { ...login, principal: '{sub}' },
    ]
    expect(check({ identities })).toHaveLength(1)
  })

  test('a condition that fixes the claim of a template fixes its names', () => {
    const identities = [
      { ...github, claims: { repository_owner: 'acme' }, principal: '{repository_owner}-ci' },
      { ...login, principal: 'acme-ci-{sub}' },
    ]
    expect(check({ identities })).toEqual([])
  })

  test('roles of two accounts with the same name are refused, roles with other names are not', () => {
    const role = (account: string, name: string) => ({ awsRole: `arn:aws:iam::${account}:role/${name}` })
    expect(check({ identities: [role('111122223333', 'svc-*'), role('444455556666', 'svc-*')] })).toHaveLength(1)
    expect(check({ identities: [role('111122223333', 'svc-*'), role('444455556666', 'job-*')] })).toEqual([])
  })

  test('a client may have a name that a template can render, because that name is reserved for it', () => {
    expect(check({ identities: [login, { client: 'legacy-billing' }] })).toEqual([])
  })
})

describe('issuers and audiences', () => {
  test('one issuer with two sources of keys is refused', () => {
    const identities = [{ ...login, jwks_uri: 'https://login.acme.com/a' }, login]
    expect(check({ identities })).toEqual([
      'identities.1.jwks_uri: the keys of `https://login.acme.com` are none here; allowed: `https://login.acme.com/a`, as in `identities[0]`',
    ])
  })

  test('the audience of a cluster is refused as the audience of callers', () => {
    const clusters = { main: aCluster({ audience: 'switchboard' }) }
    expect(check({ clusters })).toEqual([
      'identities.0.audience: `switchboard` is the audience of the cluster `main`; allowed: one that only Switchboard has, so that a token for one is none for the other',
    ])
  })

  test('the audience that a cluster has by default is refused once the issuer is known', () => {
    const identities = [{ ...login, audience: 'https://sb.acme.com/clusters/main' }]
    expect(check({ identities })).toEqual([])
    expect(checkFor('https://sb.acme.com', { identities })).toEqual([
      expect.stringMatching(/^identities\.0\.audience: .* audience of the cluster `main`/),
    ])
  })

  test.each(['https://sb.acme.com', 'https://sb.acme.com/', 'https://SB.acme.com:443'])(
    'our own issuer is refused as an issuer of callers, also written %s',
    (issuer) => {
      expect(checkFor('https://sb.acme.com', { identities: [{ ...login, issuer }] })).toEqual([
        expect.stringMatching(/^identities\.0\.issuer: .* is Switchboard itself; allowed: /),
      ])
    },
  )

  test('our own keys are refused as the keys of another issuer', () => {
    const identities = [{ ...login, jwks_uri: 'https://sb.acme.com/.well-known/jwks.json' }]
    expect(checkFor('https://sb.acme.com', { identities })).toEqual([
      expect.stringMatching(/^identities\.0\.jwks_uri: .* keys of Switchboard itself/),
    ])
    expect(checkFor('https://sb.acme.com', { identities: [login] })).toEqual([])
  })
})

describe('prefixes of groups and transactional ids', () => {
  const grantsOf = (...grants: readonly Partial<Policy['grants'][number]>[]): Policy['grants'] =>
    grants.map((grant) => ({ principals: ['reader'], consume: ['kafka://acme/**'], ...grant }))

  test('a prefix over the own name of another principal is refused', () => {
    const grants = grantsOf({ groups: ['shared', 'orders-*'] }, { principals: ['orders-api'] })
    expect(check({ grants })).toEqual([
      "grants.0.groups.1: `orders-*` covers the own name of the principal `orders-api`; allowed: a prefix that no other principal's name starts with",
    ])
  })

  test('a transactional prefix is held to the same', () => {
    const grants = grantsOf({ transactionalIds: ['orders-*'] }, { principals: ['orders-api'] })
    expect(check({ grants })).toEqual([expect.stringMatching(/^grants\.0\.transactionalIds\.0: /)])
  })

  test('a prefix over the own name of its only holder passes', () => {
    expect(check({ grants: grantsOf({ principals: ['orders-api'], groups: ['orders-*'] }) })).toEqual([])
  })

  test('two holders may not share a prefix over the name of one of them', () => {
    expect(check({ grants: grantsOf({ principals: ['orders-api', 'reader'], groups: ['orders-*'] }) })).toHaveLength(1)
  })

  test('holders by label are strangers to every principal that is named', () => {
    const grants = grantsOf(
      { principals: { labels: { team: 'a' } }, groups: ['orders-*'] },
      { principals: ['orders-api'] },
    )
    expect(check({ grants })).toHaveLength(1)
  })

  test('a prefix over all names of an identity rule is refused', () => {
    const identities = [{ ...login, principal: 'orders-{sub}' }]
    expect(check({ identities, grants: grantsOf({ groups: ['orders-*'] }) })).toEqual([
      expect.stringContaining('`orders-{sub}`'),
    ])
  })

  test('a literal name and a prefix over nobody pass', () => {
    expect(check({ grants: grantsOf({ groups: ['orders-api', 'batch-*'] }, { principals: ['orders-api'] }) })).toEqual(
      [],
    )
  })
})

describe('clusters', () => {
  test('a cluster that a route leads to needs an admin, a cluster without routes does not', () => {
    const { admin: _, ...withoutAdmin } = aCluster()
    expect(check({ clusters: { main: aCluster(), spare: withoutAdmin } })).toEqual([])
    expect(check({ clusters: { main: withoutAdmin } })).toEqual([
      expect.stringMatching(
        /^clusters\.main\.admin: the cluster `main` has no `admin\.secret` and `routes\[0\]` leads/,
      ),
    ])
  })
})

describe('control characters', () => {
  test.each([
    [
      'a key that the policy makes up',
      { profiles: { p: { role: 'producer' as const, properties: { 'a\u0007cks': 'all' } } } },
    ],
    ['a right-to-left override in a label', { identities: [{ ...login, labels: { team: '{team}\u202e' } }] }],
    ['an escape in a certificate', { clusters: { main: aCluster({ ca: '-----BEGIN CERTIFICATE-----\n\u001b[2J' }) } }],
  ])('%s is refused and shown escaped', (_, changes) => {
    const issues = check(changes)
    expect(issues).toEqual([expect.stringMatching(/\\u00|\\u20/)])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is printed is what this asserts
    expect(issues[0]?.slice(issues[0].indexOf(': '))).not.toMatch(/[\u0000-\u001f\u202e]/)
  })

  test('the lines of a certificate are none', () => {
    const ca = '-----BEGIN CERTIFICATE-----\r\nMIIB\n-----END CERTIFICATE-----\n'
    expect(check({ clusters: { main: aCluster({ ca }) } })).toEqual([])
  })
})

describe('names and wildcards at the same places', () => {
  const channels = (levels: number): readonly string[] =>
    Array.from({ length: 2 ** levels }, (_, index) => {
      const path = Array.from({ length: levels }, (_, at) => ((index >> at) & 1 ? '*' : 'a'))
      return [`kafka://acme/${path.join('/')}/end`, `kafka://acme/${path.join('/')}/other`]
    }).flat()
  const routes = (levels: number): Policy['routes'] =>
    channels(levels).map((channel, index) => ({ channel, cluster: 'main', topic: `t${index}`, shared: true }))

  test('of routes are refused where a look-up could take too long', () => {
    expect(check({ routes: routes(6) })).toEqual([])
    expect(check({ routes: routes(8) })).toEqual([
      'routes: names and wildcards are at the same places, or channels are the same but for `when`, so often that one look-up may take 768 steps; allowed: 256',
    ])
  })

  test('of grants count for each holder by itself', () => {
    const grants = (levels: number): Policy['grants'] => [
      { principals: ['orders-api'], produce: [...channels(levels)] },
      { principals: { labels: { team: 'finance' } }, consume: [...channels(levels)] },
    ]
    expect(check({ grants: grants(6) })).toEqual([])
    expect(check({ grants: grants(8) })).toEqual([expect.stringMatching(/^grants: names and wildcards are/)])
  })
})

describe('routes of the same channels', () => {
  const routesOf = (count: number, last: Policy['routes'][number][] = []): Policy['routes'] => [
    ...Array.from({ length: count }, (_, index) => ({
      channel: 'kafka://acme/orders/**',
      when: { labels: { tenant: `t${index}` } },
      cluster: 'main',
      topic: 'orders.{**}',
    })),
    ...last,
  ]
  const one = { channel: 'kafka://acme/orders/**', cluster: 'main', topic: 'orders.{**}' }

  test('that differ in `when` are refused where a look-up would try too many', () => {
    expect(check({ routes: routesOf(200) })).toEqual([])
    expect(check({ routes: routesOf(300) })).toEqual([
      expect.stringMatching(/^routes: .* the same but for `when`, .* may take 30\d steps; allowed: 256$/),
    ])
  })

  test('behind one that holds for everybody are never tried', () => {
    expect(check({ routes: [one, ...routesOf(300)] })).toEqual([])
  })
})

test('a rotation of a cluster where nothing is stored is refused', () => {
  const rotation = { every: '30d' }
  expect(check({ clusters: { main: aCluster({ auth: ['jwt', 'scram'], rotation }) } })).toEqual([])
  expect(check({ clusters: { main: aCluster({ rotation }) } })).toEqual([
    'clusters.main.rotation: `auth` of the cluster `main` is `jwt`, of which nothing is stored; allowed: `rotation` beside `scram` or `api-key`',
  ])
})

describe('an MSK cluster', () => {
  const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0d0c0b0a-1111-2222-3333-444455556666-7'
  const checkCluster = (changes: Parameters<typeof aCluster>[0]) => check({ clusters: { main: aCluster(changes) } })

  test('is its ARN, and takes passwords and IAM', () => {
    expect(checkCluster({ provider: 'msk', arn, auth: ['scram'] })).toEqual([])
    expect(checkCluster({ provider: 'msk', arn, auth: ['msk-iam', 'scram'] })).toEqual([])
    expect(checkCluster({ provider: 'msk', auth: ['scram'] })).toEqual([
      'clusters.main: the MSK cluster `main` has no `arn`; allowed: the ARN of an MSK cluster',
    ])
  })

  test('without servers takes IAM alone', () => {
    const serverless = arn.replace(/-7$/, '-s1')
    expect(checkCluster({ provider: 'msk', arn: serverless, auth: ['msk-iam'] })).toEqual([])
    expect(checkCluster({ provider: 'msk', arn: serverless, auth: ['msk-iam', 'scram'] })).toEqual([
      'clusters.main.auth: `auth` of the MSK Serverless cluster `main` is `msk-iam`, `scram`; allowed: `msk-iam`',
    ])
  })

  test('of IAM alone needs no admin, for nobody has a user there', () => {
    expect(checkCluster({ provider: 'msk', arn, auth: ['msk-iam'], admin: undefined })).toEqual([])
    expect(checkCluster({ provider: 'msk', arn, auth: ['msk-iam', 'scram'], admin: undefined })).toEqual([
      expect.stringMatching(/^clusters\.main\.admin: /),
    ])
  })

  test('has a role for IAM, and no other cluster has', () => {
    const iam = { role: 'arn:aws:iam::111122223333:role/kafka-{principal}' }
    expect(checkCluster({ provider: 'msk', arn, auth: ['msk-iam'], iam })).toEqual([])
    expect(checkCluster({ provider: 'msk', arn, auth: ['scram'], iam })).toEqual([
      'clusters.main.iam: `auth` of the cluster `main` is `scram`; allowed: `iam` beside `msk-iam`',
    ])
    expect(checkCluster({ auth: ['msk-iam'] })).toEqual([
      'clusters.main.auth: the provider of `main` is `kafka`; allowed: `msk-iam` beside `provider: msk`',
    ])
  })

  test('has no role of a longer name than IAM knows, for anybody whom grants lead there', () => {
    const checkRole = (role: string, principals: readonly string[]) =>
      check({
        clusters: { main: aCluster({ provider: 'msk', arn, auth: ['msk-iam'], iam: { role } }), other: aCluster() },
        grants: [
          { principals: [...principals], produce: ['kafka://acme/orders/**'] },
          { principals: [`${'x'.repeat(62)}y`], produce: ['kafka://elsewhere/**'] },
        ],
        routes: [
          { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}' },
          { channel: 'kafka://elsewhere/**', cluster: 'other', topic: '{path}' },
        ],
      })
    const template = 'arn:aws:iam::111122223333:role/a/long/path/kafka-{principal}'
    const [fits, tooLong] = ['x'.repeat(58), 'x'.repeat(59)]
    expect(checkRole(template, [fits])).toEqual([])
    expect(checkRole(template, [fits, tooLong])).toEqual([
      `clusters.main.iam.role: the role of \`${tooLong}\` is \`kafka-${tooLong}\`, of 65 characters; allowed: 64`,
    ])
    const ofAll = 'x'.repeat(65)
    expect(checkRole(`arn:aws:iam::111122223333:role/${ofAll}`, [fits, tooLong])).toEqual([
      `clusters.main.iam.role: the role \`${ofAll}\` has a name of 65 characters or more; allowed: 64`,
    ])
  })

  test.each([
    ['arn:aws:kafka:nowhere:111122223333', '`nowhere` of `aws`'],
    ['arn:aws:kafka:cn-north-1:111122223333', '`cn-north-1` of `aws`'],
    ['arn:aws-cn:kafka:eu-west-1:111122223333', '`eu-west-1` of `aws-cn`'],
    ['arn:aws:kafka:us-gov-west-1:111122223333', '`us-gov-west-1` of `aws`'],
  ])('is in no place `%s`', (place, said) => {
    const wrong = arn.replace(/^.*111122223333/, place)
    expect(checkCluster({ provider: 'msk', arn: wrong, auth: ['scram'] })).toEqual([
      expect.stringContaining(`the region of the MSK cluster \`main\` is ${said}; allowed: a region`),
    ])
  })

  test.each(['arn:aws-cn:kafka:cn-north-1', 'arn:aws-us-gov:kafka:us-gov-west-1', 'arn:aws:kafka:ap-southeast-2'])(
    'is in `%s`',
    (place) => {
      const there = arn.replace(/^.*eu-west-1/, place)
      expect(checkCluster({ provider: 'msk', arn: there, auth: ['scram'] })).toEqual([])
    },
  )

  test('takes no grants by IAM that fit into no session, and says whose', () => {
    const clusters = { main: aCluster({ provider: 'msk', arn, auth: ['msk-iam'] }) }
    const produce = Array.from({ length: 40 }, (_, at) => `kafka://acme/orders/number-${at}`)
    const withGrants = (grants: Policy['grants']) => check({ clusters, grants })
    expect(withGrants([{ principals: ['p'], produce: produce.slice(0, 10) }])).toEqual([])
    expect(
      withGrants([
        { principals: ['q'], consume: ['kafka://acme/**'] },
        { principals: ['p'], produce },
      ]),
    ).toEqual([
      expect.stringMatching(
        /^grants\.1: `p` cannot have all that its grants give on the MSK cluster `main` by IAM: .* take \d{4} characters in a policy of AWS, allowed: 2048; allowed: fewer names/,
      ),
    ])
    expect(withGrants([{ principals: { labels: { team: 'x' } }, produce }])).toEqual([
      expect.stringMatching(/^grants\.0: whoever has these labels cannot have all/),
    ])
    // a pattern is one prefix, however many topics that is
    expect(withGrants([{ principals: ['p'], produce: ['kafka://acme/orders/**', ...produce] }])).toEqual([])
    const ids = Array.from({ length: 40 }, (_, at) => `transaction-${at}`)
    expect(
      withGrants([{ principals: ['p'], produce: ['kafka://acme/orders/**'], transactionalIds: ids }]),
    ).toHaveLength(1)
    expect(
      withGrants([
        { principals: ['p'], produce: ['kafka://acme/orders/**'], transactionalIds: [...ids, 'transaction-*'] },
      ]),
    ).toEqual([])
  })

  test('knows no quotas of who is let in by IAM', () => {
    const clusters = { main: aCluster({ provider: 'msk', arn, auth: ['msk-iam', 'scram'] }) }
    const grant = { principals: ['p'], produce: ['kafka://acme/orders/**'], quota: { produceBytesPerSecond: 1_000 } }
    expect(check({ clusters, grants: [grant] })).toEqual([
      expect.stringMatching(/^grants\.0\.quota: a route leads to the cluster `main`, where `msk-iam` knows no quotas/),
    ])
  })

  test('takes no tokens of ours', () => {
    expect(checkCluster({ provider: 'msk', arn, auth: ['scram', 'jwt'] })).toEqual([
      'clusters.main.auth: `auth` of the MSK cluster `main` is `scram`, `jwt`; allowed: `msk-iam`, `scram`',
    ])
  })

  test('is no other provider’s', () => {
    expect(checkCluster({ arn })).toEqual([
      'clusters.main.arn: the provider of `main` is `kafka`; allowed: `arn` beside `provider: msk`',
    ])
  })

  test.each([
    'main',
    'arn:aws:kafka:eu-west-1:111122223333:topic/main/0d0c0b0a-1111-2222-3333-444455556666-7',
    `${arn} `,
  ])('is not named by `%s`', (text) => {
    expect(
      policySchema.safeParse(aPolicy({ clusters: { main: aCluster({ provider: 'msk', arn: text }) } })).success,
    ).toBe(false)
  })
})

describe('a schema registry', () => {
  const withRegistry = (
    schemaRegistry: NonNullable<Policy['clusters'][string]['schemaRegistry']> | undefined,
    cluster: Partial<Policy['clusters'][string]> = {},
  ): Partial<Policy> => ({
    clusters: { main: aCluster({ schemaRegistry, ...cluster }) },
    grants: [{ principals: ['p'], produce: ['kafka://acme/orders/**'], schemas: true }],
  })
  const basic = { url: 'https://registry.acme.com', secret: 'switchboard/prod/registries/main/{principal}' }
  const byPool = { url: 'https://registry.acme.com', id: 'lsrc-abc123' }

  test('is one of a grant that leads to its cluster', () => {
    expect(check(withRegistry(basic))).toEqual([])
    expect(check(withRegistry(undefined))).toEqual([
      expect.stringMatching(/^grants\.0\.schemas: no route of its channels leads to a cluster with a schema registry/),
    ])
  })

  test('known by its id takes tokens through identity pools, or API keys where there is nothing else', () => {
    const cloudKey = { secret: 'cloud' }
    const confluent = { provider: 'confluent', id: 'lkc-abc123', environment: 'env-1', cloudKey } as const
    const workload = { audience: 'a', region: 'eu-west-1' }
    expect(check(withRegistry(byPool, { ...confluent, auth: ['jwt'] }))).toEqual([])
    expect(check(withRegistry(byPool))).toEqual([
      'clusters.main.schemaRegistry.id: the provider of `main` is `kafka`; allowed: `secret`, and `id` beside `provider: confluent`',
    ])
    expect(check(withRegistry(byPool, { ...confluent, auth: ['api-key'] }))).toEqual([])
    expect(check(withRegistry(byPool, { ...confluent, auth: ['workload', 'api-key'], workload }))).toEqual([
      'clusters.main.schemaRegistry.id: `auth` of the cluster `main` is `workload`, `api-key`, so that some would have neither a token nor an API key for the registry; allowed: `secret`, and `id` beside `jwt`, or `api-key` alone',
    ])
    expect(check(withRegistry(byPool, { ...confluent, auth: ['api-key'], credential: 'reference' }))).toEqual([
      'clusters.main.schemaRegistry.id: `credential` of the cluster `main` is `reference`, and API keys of a registry are handed out as they are alone; allowed: `secret`, and `id` beside `credential: value`',
    ])
  })

  test.each([
    { url: 'https://registry.acme.com' },
    { ...basic, ...byPool },
    { ...basic, url: 'https://user:hunter2@registry.acme.com' },
    { ...basic, url: 'https://registry.acme.com/?key=1' },
    { ...basic, url: 'ftp://registry.acme.com' },
    { ...basic, secret: 'a/{principal}/{principal}' },
    { ...basic, secret: 'a/{team}' },
    { ...basic, secret: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:a/{principal}' },
    { ...byPool, id: 'lkc-abc123' },
  ])('is not said like this: %j', (schemaRegistry) => {
    expect(policySchema.safeParse(aPolicy(withRegistry(schemaRegistry))).success).toBe(false)
  })
})
