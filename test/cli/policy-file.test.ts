import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePolicyFile } from '../../cli/policy-file.ts'
import { decide } from '../../shared/domain/decide.ts'
import { parseIntent } from '../../shared/domain/intent.ts'

const smallest = `identities: [ { issuer: "https://login.acme.com/", audience: switchboard } ]
clusters:   { main: { provider: kafka, bootstrap: "kafka-1:9093", auth: [jwt], admin: { secret: "main" } } }
grants:     [ { principals: [orders-api], produce: ["kafka://acme/orders/**"] } ]
routes:     [ { channel: "kafka://acme/**", cluster: main, topic: "{path}" } ]
`

const refusals = (text: string): readonly string[] => {
  const file = parsePolicyFile(text)
  return file.ok ? [] : file.issues.map(({ line, column, detail }) => `${line}:${column} ${detail}`)
}

test('the smallest useful policy has four lines', () => {
  expect(refusals(smallest)).toEqual([])
})

test('it works as it stands: its principal gets a topic, a listener and an hour, and nobody else anything', () => {
  const file = parsePolicyFile(smallest)
  const { directory } = file.ok ? file : expect.unreachable()
  const at = new Date('2026-11-21T12:00:00Z')
  const intent = parseIntent({ produce: ['kafka://acme/orders/created'] })
  const decided = (name: string) =>
    decide({ name, labels: {}, identityRule: 0 }, intent, { directory, denied: [], now: at, jitter: 0 })

  expect(decided('orders-api')).toMatchObject({
    outcome: 'allow',
    connections: [
      {
        cluster: { name: 'main' },
        path: { listener: { bootstrap: 'kafka-1:9093', security: 'SASL_SSL' }, kind: 'jwt' },
        admissions: [{ topic: 'orders.created' }],
      },
    ],
    times: { expiresAt: new Date('2026-11-21T13:00:00Z') },
  })
  expect(decided('billing')).toMatchObject({ outcome: 'deny', reason: 'no_grant' })
})

test('the example is accepted', () => {
  expect(refusals(readFileSync('examples/policy.yaml', 'utf8'))).toEqual([])
})

describe('every refusal says where it is, what was found and what is allowed', () => {
  test.each([
    [
      'a number where a name belongs',
      'audience: switchboard',
      'audience: 5',
      '1:62 identities[0].audience: got `5`, allowed: a text; write it in quotes, `"5"`',
    ],
    [
      'an unknown name',
      'auth: [jwt]',
      'auth: [jwt], color: red',
      '2:80 clusters.main.color: got the unknown name `color`, allowed: `provider`, `arn`, `iam`, `id`, `environment`, `cloudKey`, `identityProvider`, `workload`, `identityPools`, `serviceAccounts`, `auth`, `bootstrap`, `security`, `listeners`, `ca`, `audience`, `labels`, `admin`, `credential`, `schemaRegistry`, `rotation`, `quarantined`',
    ],
    [
      'the selector that a cluster was pinned from, which only a stored policy has',
      'cluster: main, topic',
      'cluster: main, selector: { labels: { tier: gold } }, topic',
      '4:60 routes[0].selector: got the unknown name `selector`, allowed: `channel`, `when`, `cluster`, `topic`, `topics`, `shared`, `profiles`',
    ],
    [
      'a name that cannot be one',
      'main:',
      'Main:',
      '2:15 clusters.Main: got the name `Main`, allowed: a cluster name is 1 to 63 of `a-z 0-9 -`',
    ],
    [
      'a missing name',
      ', topic: "{path}"',
      '',
      '4:15 routes[0].topic: got nothing, allowed: either `topic` or `topics`',
    ],
    [
      'a form that is none of several',
      'principals: [orders-api]',
      'principals: orders-api',
      '3:29 grants[0].principals: got `orders-api`, allowed: a list or a map with `labels`',
    ],
    [
      'a wrong part of a form',
      'principals: [orders-api]',
      'principals: [a/b]',
      '3:30 grants[0].principals[0]: got `a/b`, allowed: a principal is 1 to 63 of `A-Z a-z 0-9 . _ -` and starts with a letter or a digit',
    ],
    [
      'an empty list',
      '["kafka://acme/orders/**"]',
      '[]',
      '3:52 grants[0].produce: got an empty list, allowed: a list with at least 1 entries',
    ],
    [
      'a word that is none of several',
      'provider: kafka',
      'provider: rabbit',
      '2:33 clusters.main.provider: got `rabbit`, allowed: `kafka` or `msk`',
    ],
    [
      'a rule of the compiler',
      'cluster: main',
      'cluster: other',
      '4:54 routes[0].cluster: no cluster is named `other`, allowed: `main`',
    ],
    [
      'a rule over several rules',
      ', admin: { secret: "main" }',
      '',
      '2:21 clusters.main.admin: the cluster `main` has no `admin.secret`',
    ],
  ])('%s', (_, found, replaced, expected) => {
    expect(smallest).toContain(found)
    expect(refusals(smallest.replace(found, replaced))).toEqual([expect.stringContaining(expected)])
  })

  test('a name that no terminal should see, shown escaped', () => {
    expect(refusals(smallest.replace('admin:', '"co\\u001blor": red, admin:'))).toEqual([
      expect.stringContaining(' clusters.main.`co\\u001blor`: got the unknown name `co\\u001blor`, allowed: '),
    ])
  })

  test('a name that is written twice', () => {
    expect(refusals(`${smallest}routes: []\n`)).toEqual([expect.stringMatching(/^5:1 .*unique/)])
  })

  test('several faults are told at once, in their order in the file', () => {
    const faulty = smallest.replace('audience: switchboard', 'audience: 5').replace('topic:', 'topc:')
    expect(refusals(faulty).map((line) => line.split(' ')[0])).toEqual(['1:62', '4:15', '4:60'])
  })
})

describe('what YAML could hide', () => {
  test('an alias and its anchor are both pointed at', () => {
    const text = smallest.replace('[orders-api]', '&who [orders-api]').replace('produce:', 'groups: *who, produce:')
    expect(refusals(text)).toEqual([
      expect.stringMatching(/^3:\d+ got `&who`, allowed: a policy without anchors and aliases/),
      expect.stringMatching(/^3:\d+ got `\*who`, allowed: a policy without anchors and aliases/),
    ])
  })

  test('a list or a map as a name is pointed at', () => {
    expect(refusals('? [a, b]\n: c\n')).toEqual(['1:3 got a list or a map as a name, allowed: a text'])
  })

  test('a bomb of aliases is refused without being made', () => {
    const bomb = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`)
    const start = performance.now()
    expect(refusals(`a0: &a0 [x]\n${bomb.join('\n')}\n`).length).toBeGreaterThan(0)
    expect(performance.now() - start).toBeLessThan(5_000)
  })

  test.each([
    ['nothing', ''],
    ['a text', 'policy'],
    ['a list', '[]'],
    ['two documents', '---\na: 1\n---\nb: 1\n'],
    ['a broken document', 'identities: ['],
  ])('%s is refused', (_, text) => {
    expect(refusals(text).length).toBeGreaterThan(0)
  })

  test('whatever a file holds, it is parsed or refused with places inside it', () => {
    const piece = fc.oneof(
      fc.constantFrom(...smallest.split(/(?=[ {}[\],:\n])/)),
      fc.constantFrom('&a ', '*a', '!!binary ', '? ', '<<: ', '\t', '\u0000', '__proto__: ', '"', '- ', '{'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(smallest.length), (pieces, at) => {
        const text = smallest.slice(0, at) + pieces.join('') + smallest.slice(at)
        const file = parsePolicyFile(text)
        if (file.ok) return
        expect(file.issues.length).toBeGreaterThan(0)
        const lines = text.split('\n').length
        for (const issue of file.issues) {
          expect(issue.line).toBeGreaterThanOrEqual(1)
          expect(issue.line).toBeLessThanOrEqual(lines)
          expect(issue.column).toBeGreaterThanOrEqual(1)
        }
      }),
      { numRuns: 300 },
    )
  })
})
