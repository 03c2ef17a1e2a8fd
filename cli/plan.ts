import { canonicalJson } from '../shared/domain/canonical-json.ts'
import { compileDirectory } from '../shared/domain/directory.ts'
import { noFacts } from '../shared/domain/facts.ts'
import type { Policy } from '../shared/domain/policy.ts'
import { contentAddress } from '../shared/store/documents.ts'
import { type AccessChange, accessChangeAsJson, aclText, compareAccesses, quotaText } from './plan-access.ts'
import { authWarnings } from './plan-auth.ts'
import { type Moves, replayLeases } from './plan-moves.ts'
import { fullClusters, replacementRefusals } from './plan-providers.ts'
import { compareRules, type RuleChange } from './plan-rules.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

/** What an apply would do, found without doing it. */
export type Plan = {
  readonly revision: number
  readonly from: string | undefined
  readonly to: string
  readonly rules: readonly RuleChange[]
  readonly access: readonly AccessChange[]
  readonly moves: Moves
  /** What the reader has to know to believe the rest. */
  readonly notes: readonly string[]
}

export type PlanDeps = Pick<Stack, 'directories' | 'access' | 'credentials' | 'leases'>

const nothing: Policy = { identities: [], clusters: {}, grants: [], routes: [] }

export const planPolicy = async (
  policy: Policy,
  { directories, access, credentials, leases }: PlanDeps,
  now: Date,
): Promise<Plan> => {
  const pointer = await directories.readPointer()
  const [inForce, facts] = await Promise.all([
    pointer.policy === undefined ? nothing : directories.readPolicy(pointer.policy),
    pointer.facts === undefined ? noFacts : directories.readFacts(pointer.facts),
  ])
  const to = contentAddress(canonicalJson(policy))
  const current = compileDirectory(inForce, pointer.policy ?? '', { published: true, facts }).directory
  const next = compileDirectory(policy, to, { published: true, facts }).directory
  const clusters = [...new Set([...current.clusters.keys(), ...next.clusters.keys()])]
  const known = (await Promise.all(clusters.map((cluster) => access.list(cluster)))).flat()
  const labels = new Map<string, Readonly<Record<string, string>>>()
  for (const entry of known) labels.set(entry.principal, { ...labels.get(entry.principal), ...entry.labels })

  const rules = compareRules(inForce, policy)
  const live = await leases.listAll(now)
  const moves = replayLeases(live, {
    current,
    next,
    denied: pointer.denied,
    labelsOf: (principal) => labels.get(principal) ?? {},
    now,
  })
  const accesses = compareAccesses(current, next, known, now)
  const leftBehind = known.find(({ cluster, acls }) => acls.length > 0 && !next.clusters.has(cluster))
  const replacements = await replacementRefusals(current, next, async (cluster) =>
    (await credentials.list(cluster)).map(({ credential }) => credential),
  )
  const notes = [
    ...replacements.map((refusal) => `apply would refuse this: ${refusal}`),
    ...fullClusters(next, now),
    pointer.next !== undefined && pointer.next !== to
      ? `an apply of ${pointer.next} was begun and not finished; this one would take its place`
      : undefined,
    leftBehind !== undefined
      ? `apply would refuse this: the cluster \`${leftBehind.cluster}\` still has access of \`${leftBehind.principal}\`; remove its routes, apply, and then remove the cluster`
      : undefined,
    rules.some(({ rule }) => rule.startsWith('identities['))
      ? 'identity rules change: leases are replayed as if every principal kept its name and labels'
      : undefined,
    rules.some(({ rule }) => rule === 'kafkaUserPrefix')
      ? '`kafkaUserPrefix` changes: every principal becomes another Kafka user'
      : undefined,
    accesses.some(({ dependsOnTopics }) => dependsOnTopics)
      ? 'where it says `by topic`, access depends on the topics that exist; only those that Switchboard gave access to before are counted'
      : undefined,
    ...authWarnings(current, next, live),
    moves.unreadable > 0 ? `${moves.unreadable} leases hold an intent that this version cannot replay` : undefined,
  ]
  return {
    revision: pointer.revision,
    from: pointer.policy,
    to,
    rules,
    access: accesses,
    moves,
    notes: notes.filter((note) => note !== undefined),
  }
}

export const planAsJson = ({ access, ...plan }: Plan) => ({ ...plan, access: access.map(accessChangeAsJson) })

const section = (
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): readonly string[] =>
  rows.length === 0 ? ['', `${title}: ${none}`] : ['', title, ...renderTable(head, rows).map((line) => `  ${line}`)]

/** For a person, with what matters most at the end. */
export const renderPlan = ({ revision, from, to, rules, access, moves, notes }: Plan): readonly string[] => [
  from === to ? `nothing would change: revision ${revision} already is ${to}` : `revision ${revision} -> ${to}`,
  ...section(
    'rules',
    ['change', 'rule', 'about', 'details'],
    rules.map(({ change, rule, about, details }) => [change, rule, about, details.join('; ')]),
    'no change',
  ),
  ...section(
    'access',
    ['cluster', 'principal', 'change', 'what'],
    access.flatMap(({ cluster, principal, add, remove, quota, dependsOnTopics }) => [
      ...add.map((acl) => [cluster, principal, 'add', aclText(acl)]),
      ...remove.map((acl) => [cluster, principal, 'remove', aclText(acl)]),
      ...(quota === undefined ? [] : [[cluster, principal, 'quota', quotaText(quota)]]),
      ...(dependsOnTopics ? [[cluster, principal, 'by topic', 'what else its grants reach']] : []),
    ]),
    'no change',
  ),
  ...section(
    `who moves, of ${moves.leases} live leases of ${moves.principals} principals`,
    ['principal', 'change', 'leases', 'action', 'channel', 'from', 'to'],
    moves.moves.map(({ principal, change, leases, action, asked, from: before, to: after }) => [
      principal,
      change,
      String(leases),
      action,
      asked,
      before,
      after,
    ]),
    'nobody',
  ),
  ...notes.flatMap((note) => ['', `note: ${note}`]),
]
