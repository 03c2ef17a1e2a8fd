import type { Policy } from '../shared/domain/policy.ts'
import type { Principal } from '../shared/domain/principal.ts'
import { createRandom } from './random.ts'

/** A policy with as many routes as grants, and who asks it for what. */
export type Shape = { readonly policy: Policy; readonly callers: readonly Caller[] }
export type Caller = { readonly principal: Principal; readonly channel: string }

type GrantText = Policy['grants'][number]
type RouteText = Policy['routes'][number]

const callerCount = 10

const frame = (grants: readonly GrantText[], routes: readonly RouteText[], issuer: string): Policy => ({
  identities: [{ issuer, audience: 'switchboard', labels: { team: '{team}', env: '{env}' } }],
  clusters: Object.fromEntries(
    [0, 1, 2, 3].map((index) => [
      `cluster-${index}`,
      { provider: 'kafka', auth: ['jwt'], admin: { secret: 's' }, bootstrap: `kafka-${index}.acme.com:9093` },
    ]),
  ),
  grants: [...grants],
  routes: [...routes],
})

const clusterOf = (index: number): string => `cluster-${index % 4}`
const principalOf = (name: string, labels: Readonly<Record<string, string>> = {}): Principal => ({
  name,
  labels,
  identityRule: 0,
})

/**
 * As many for every size, spread over all rules, the last one included: what differs is how many rules there are, not how
 * many of them are asked for, which would measure the processor's caches.
 */
const callers = (size: number, callerOf: (index: number) => Caller): readonly Caller[] =>
  Array.from({ length: callerCount }, (_, at) => callerOf(Math.ceil(((at + 1) * size) / callerCount) - 1))

const issuer = 'https://login.acme.com'

/** Literals, names, `*` and `**` at random, ten grants to a principal. */
export const randomShape = (size: number, of = issuer): Shape => {
  const random = createRandom(1)
  const pick = (count: number): number => Math.floor(random() * count)
  const parts = Array.from({ length: size }, (_, index) => {
    const depth = 1 + pick(4)
    const path = Array.from({ length: depth }, (_, at) =>
      random() < 0.3 ? `{n${at}}` : `${'abcdefgh'[at]}${pick(Math.max(2, Math.sqrt(size)))}`,
    )
    const rest = random() < 0.3
    // a text of its own makes each pattern one that nothing before it takes
    return { path: [...path, `r${index}`, ...(rest ? ['**'] : [])], domain: `d${index % 20}.acme.com`, index }
  })
  const anonymous = (path: readonly string[]): string => path.map((part) => part.replace(/^\{.*\}$/, '*')).join('/')
  return {
    policy: frame(
      parts.map(({ path, domain, index }) => ({
        principals: [`service-${index % Math.ceil(size / 10)}`],
        produce: [`kafka://${domain}/${anonymous(path)}`],
        consume: [`kafka://${domain}/${anonymous(path)}`],
      })),
      parts.map(({ path, domain, index }) => ({
        channel: `kafka://${domain}/${path.join('/')}`,
        cluster: clusterOf(index),
        topic: `r${index}.{path}`,
      })),
      of,
    ),
    callers: callers(size, (index) => {
      const { path, domain } = parts[index] ?? { path: [], domain: '' }
      const channel = `kafka://${domain}/${path.map((part) => (part.startsWith('{') ? 'x' : part === '**' ? 'y/z' : part)).join('/')}`
      return { principal: principalOf(`service-${index % Math.ceil(size / 10)}`), channel }
    }),
  }
}

/** Not one literal segment in any pattern; twelve patterns to a domain. */
export const wildcardShape = (size: number): Shape => {
  const partsOf = (index: number) => {
    const kind = index % 12
    const ones = 1 + (kind % 6)
    return { ones, rest: kind >= 6, domain: `d${Math.floor(index / 12)}.acme.com` }
  }
  const all = Array.from({ length: size }, (_, index) => ({ index, ...partsOf(index) }))
  return {
    policy: frame(
      all.map(({ index, ones, rest, domain }) => ({
        principals: [`service-${Math.floor(index / 12)}`],
        produce: [`kafka://${domain}/${['*', '*', '*', '*', '*', '*'].slice(0, ones).join('/')}${rest ? '/**' : ''}`],
      })),
      all.map(({ index, ones, rest, domain }) => ({
        channel: `kafka://${domain}/${['{a}', '{b}', '{c}', '{d}', '{e}', '{f}'].slice(0, ones).join('/')}${rest ? '/**' : ''}`,
        cluster: clusterOf(index),
        topic: `t${index}.{path}`,
      })),
      issuer,
    ),
    callers: callers(size, (index) => ({
      principal: principalOf(`service-${Math.floor(index / 12)}`),
      channel: `kafka://d${Math.floor(index / 12)}.acme.com/${['a', 'b', 'c', 'd', 'e', 'f'].slice(0, 1 + (index % 6)).join('/')}${index % 12 >= 6 ? '/x/y' : ''}`,
    })),
  }
}

/** Every grant is held through labels, of which all share one. */
export const labelShape = (size: number, of = issuer): Shape => ({
  policy: frame(
    Array.from({ length: size }, (_, index) => ({
      principals: { labels: { env: 'prod', team: `team-${index}` } },
      produce: [`kafka://acme/team-${index}/**`],
      consume: [`kafka://acme/team-${index}/**`],
    })),
    Array.from({ length: size }, (_, index) => ({
      channel: `kafka://acme/team-${index}/{event}`,
      cluster: clusterOf(index),
      topic: `team-${index}.{event}`,
    })),
    of,
  ),
  callers: callers(size, (index) => ({
    principal: principalOf(`service-${index}`, { env: 'prod', region: 'eu', team: `team-${index}` }),
    channel: `kafka://acme/team-${index}/created`,
  })),
})

/**
 * Each segment is a literal and a `*` in as many combinations as `size` allows, and the channel of the caller reads as
 * all of them until its last segments: nothing a search has seen lets it skip what is left.
 */
export const branchingShape = (size: number, levels: number): Shape => {
  const combinations = Math.min(2 ** levels, size)
  const tail = Array.from({ length: 15 - levels }, () => 'a')
  const pathOf = (index: number): readonly string[] => [
    ...Array.from({ length: levels }, (_, at) => (((index >> at) & 1) === 1 ? '*' : 'a')),
    ...tail,
  ]
  const texts = Array.from({ length: size }, (_, index) => ({
    index,
    text: `kafka://acme/${[...pathOf(index % combinations), `z${Math.floor(index / combinations)}`].join('/')}`,
  }))
  return {
    policy: frame(
      [
        ...texts.map(({ text }) => ({ principals: ['service'], produce: [text] })),
        { principals: ['service'], produce: ['kafka://acme/**'] },
      ],
      [
        ...texts.map(({ index, text }) => ({
          channel: text,
          cluster: clusterOf(index),
          topic: `t${index}`,
          shared: true,
        })),
        { channel: 'kafka://acme/**', cluster: 'cluster-0', topic: '{path}', shared: true },
      ],
      issuer,
    ),
    callers: [{ principal: principalOf('service'), channel: `kafka://acme/${'a/'.repeat(15)}end` }],
  }
}
