import { canonicalJson } from '../shared/domain/canonical-json.ts'
import type { Policy } from '../shared/domain/policy.ts'

/** One rule that an apply would add, change, remove or move to another place in its list. */
export type RuleChange = {
  readonly change: 'added' | 'changed' | 'removed' | 'moved'
  /** Where it stands: in the next policy, for a removed rule in the current one. */
  readonly rule: string
  /** What the rule is about. */
  readonly about: string
  /** What is different, member by member. */
  readonly details: readonly string[]
}

type Rule = Readonly<Record<string, unknown>>
type ListName = 'identities' | 'grants' | 'routes'

const maximumShown = 60

const shown = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : typeof value === 'string' ? value : canonicalJson(value)
  return text.length > maximumShown ? `${text.slice(0, maximumShown)}…` : text
}

const isMap = (value: unknown): value is Rule => value !== null && typeof value === 'object' && !Array.isArray(value)

/** Labels and conditions as a person writes them on a line. */
const pairs = (value: unknown): string =>
  isMap(value)
    ? Object.entries(value)
        .map(([key, member]) => `${key}=${Array.isArray(member) ? member.join('|') : String(member)}`)
        .join(' ')
    : ''

const labelsOf = (value: unknown): string => pairs(isMap(value) ? value.labels : undefined)

/** Two rules about the same are one rule that changed. */
const aboutOf: Readonly<Record<ListName, (rule: Rule) => string>> = {
  identities: ({ issuer, awsRole, client, claims }) => `${issuer ?? awsRole ?? client} ${pairs(claims)}`.trim(),
  grants: ({ principals }) => (Array.isArray(principals) ? principals.join(', ') : labelsOf(principals)),
  routes: ({ channel, when }) => `${channel} ${labelsOf(when)}`.trim(),
}

const differences = (before: Rule, after: Rule): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => canonicalJson(before[key] ?? null) !== canonicalJson(after[key] ?? null))
    .map((key) => `${key}: ${shown(before[key])} -> ${shown(after[key])}`)

type Pair = { readonly from: number; readonly to: number }

/** Pairs what has the same key, in order, and takes it off both lists. */
const pairBy = (left: Map<number, Rule>, right: Map<number, Rule>, keyOf: (rule: Rule) => string): readonly Pair[] => {
  const byKey = new Map<string, number[]>()
  for (const [index, rule] of left) {
    const same = byKey.get(keyOf(rule))
    if (same === undefined) byKey.set(keyOf(rule), [index])
    else same.push(index)
  }
  const found: Pair[] = []
  // from the back, so that taking one off costs nothing
  for (const same of byKey.values()) same.reverse()
  for (const [to, rule] of right) {
    const from = byKey.get(keyOf(rule))?.pop()
    if (from !== undefined) found.push({ from, to })
  }
  for (const { from, to } of found) {
    left.delete(from)
    right.delete(to)
  }
  return found
}

/** The pairs that would have to be lifted out so that all others keep their order: the fewest there can be. */
const outOfOrder = (kept: readonly Pair[]): ReadonlySet<Pair> => {
  const sorted = [...kept].sort((a, b) => a.to - b.to)
  const tails: Pair[] = []
  const before = new Map<Pair, Pair | undefined>()
  for (const pair of sorted) {
    let low = 0
    let high = tails.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((tails[middle]?.from ?? 0) < pair.from) low = middle + 1
      else high = middle
    }
    before.set(pair, tails[low - 1])
    tails[low] = pair
  }
  const moved = new Set(sorted)
  for (let pair = tails.at(-1); pair !== undefined; pair = before.get(pair)) moved.delete(pair)
  return moved
}

const compareLists = (name: ListName, current: readonly Rule[], next: readonly Rule[]): readonly RuleChange[] => {
  const about = aboutOf[name]
  const left = new Map(current.entries())
  const right = new Map(next.entries())
  const kept = [...pairBy(left, right, canonicalJson), ...pairBy(left, right, about)]
  const moved = outOfOrder(kept)
  const changes: (RuleChange & { readonly at: number })[] = []
  for (const pair of kept) {
    const before = current[pair.from] ?? {}
    const after = next[pair.to] ?? {}
    const details = [
      ...(moved.has(pair) ? [`position: ${name}[${pair.from}] -> ${name}[${pair.to}]`] : []),
      ...differences(before, after),
    ]
    if (details.length > 0)
      changes.push({
        change: moved.has(pair) && details.length === 1 ? 'moved' : 'changed',
        rule: `${name}[${pair.to}]`,
        about: about(after),
        details,
        at: pair.to,
      })
  }
  for (const [at, rule] of right)
    changes.push({ change: 'added', rule: `${name}[${at}]`, about: about(rule), details: [], at })
  for (const [at, rule] of left)
    changes.push({ change: 'removed', rule: `${name}[${at}]`, about: about(rule), details: [], at })
  return changes.sort((a, b) => a.at - b.at).map(({ at: _, ...change }) => change)
}

const compareNamed = (
  name: 'clusters' | 'profiles',
  current: Readonly<Record<string, Rule>>,
  next: Readonly<Record<string, Rule>>,
): readonly RuleChange[] =>
  [...new Set([...Object.keys(current), ...Object.keys(next)])].flatMap((key): readonly RuleChange[] => {
    const rule = `${name}.${key}`
    const before = Object.hasOwn(current, key) ? current[key] : undefined
    const after = Object.hasOwn(next, key) ? next[key] : undefined
    if (before === undefined) return [{ change: 'added', rule, about: key, details: [] }]
    if (after === undefined) return [{ change: 'removed', rule, about: key, details: [] }]
    const details = differences(before, after)
    return details.length === 0 ? [] : [{ change: 'changed', rule, about: key, details }]
  })

const settings = ['limits', 'kafkaUserPrefix'] as const

/** What is different between two policies, rule by rule. */
export const compareRules = (current: Policy, next: Policy): readonly RuleChange[] => [
  ...compareLists('identities', current.identities, next.identities),
  ...compareNamed('clusters', current.clusters, next.clusters),
  ...compareNamed('profiles', current.profiles ?? {}, next.profiles ?? {}),
  ...compareLists('grants', current.grants, next.grants),
  ...compareLists('routes', current.routes, next.routes),
  ...settings.flatMap((name): readonly RuleChange[] => {
    const details = differences({ [name]: current[name] }, { [name]: next[name] })
    return details.length === 0 ? [] : [{ change: 'changed', rule: name, about: name, details }]
  }),
]
