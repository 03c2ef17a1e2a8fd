import { type Explanation, explain } from '../shared/domain/explain.ts'
import { parseIntent } from '../shared/domain/intent.ts'
import { isPrincipalName } from '../shared/domain/principal.ts'
import { readDirectory } from '../shared/store/read-directory.ts'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'

export type ExplainAs = {
  readonly principal: string
  readonly labels: Readonly<Record<string, string>>
  readonly intent: Readonly<Record<string, unknown>>
}

/** Why the policy in force decides as it does for this principal. Labels default to those it was last seen with. */
export const explainAs = async (
  { principal, labels, intent }: ExplainAs,
  { directories, access }: Pick<Stack, 'directories' | 'access'>,
  now: Date,
): Promise<Explanation> => {
  if (!isPrincipalName(principal)) throw new CommandError(`\`${principal}\` is no principal's name`, 2)
  const pointer = await directories.readPointer()
  const { policy, denied } = pointer
  if (policy === undefined) throw new CommandError('no policy is in force; apply one first')
  const directory = await readDirectory(directories, policy, pointer)
  const known = await Promise.all([...directory.clusters.keys()].map((cluster) => access.read(cluster, principal)))
  const seen = Object.assign({}, ...known.map((entry) => entry?.labels ?? {}))
  return explain(
    { name: principal, labels: { ...seen, ...labels }, identityRule: -1 },
    parseIntent(intent),
    { directory, denied, now, jitter: 0.5 },
    'operator',
  )
}

const place = (kind: string, index: number): string => `${kind}[${index}]`

/** For a person: one block per wish, the deciding rule first. */
export const renderExplanation = (explanation: Explanation): readonly string[] => {
  const { principal, outcome, rule, reason, wishes, clusters, lease, directory } = explanation
  const labels = Object.entries(principal.labels).map(([key, value]) => `${key}=${value}`)
  const lines = [
    `${principal.name}${labels.length === 0 ? '' : ` (${labels.join(', ')})`}: ${outcome}${rule === undefined ? '' : `, rule ${rule}: ${reason}`}`,
  ]
  for (const wish of wishes) {
    lines.push(
      `  ${wish.action} ${wish.asked}: ${wish.outcome}${wish.rule === undefined ? '' : `, rule ${wish.rule}: ${wish.reason}`}`,
    )
    if (wish.grant !== undefined) lines.push(`    by ${place('grants', wish.grant)}`)
    for (const route of wish.routes)
      lines.push(`    ${place('routes', route.route)} leads to ${route.topics} on ${route.cluster}`)
    for (const index of wish.passedOver ?? []) lines.push(`    ${place('routes', index)} is for other labels`)
    for (const miss of wish.nearMisses) lines.push(`    not by ${place('grants', miss.grant)}: ${miss.because}`)
  }
  for (const each of clusters) {
    const { cluster, quarantined, listener, network, security, credential, because, passedOver = [] } = each
    const { schemaRegistry: registry } = each
    lines.push(
      quarantined
        ? `  ${cluster}: quarantined`
        : listener === undefined
          ? `  ${cluster}: no listener that this client can log in to`
          : `  ${cluster}: listener ${listener}${network === undefined ? '' : ` (${network})`}, ${security}, ${credential}`,
    )
    if (because !== undefined) lines.push(`    by ${credential}: ${because}`)
    for (const other of passedOver) lines.push(`    not by ${other.credential}: ${other.because}`)
    if (registry !== undefined)
      lines.push(
        registry.grant === undefined
          ? `    not its schema registry ${registry.url}: no grant of these channels says \`schemas\``
          : `    schema registry ${registry.url} by ${place('grants', registry.grant)}, ${registry.credential}${registry.secret === undefined ? '' : ` of the secret ${registry.secret}`}`,
      )
  }
  if (lease !== undefined) lines.push(`  lease until ${lease.expiresAt}, bounded by ${lease.limit}`)
  lines.push(`  policy ${directory}`)
  return lines
}
