import { readFile } from 'node:fs/promises'
import { newMatchText } from '../shared/domain/new-matches.ts'
import type { Policy } from '../shared/domain/policy.ts'
import { checkPolicyForIssuer } from '../shared/domain/policy-checks.ts'
import { warnAboutPolicy } from '../shared/domain/policy-warnings.ts'
import type { InventoryStore } from '../shared/store/inventory-store.ts'
import { CommandError } from './command-error.ts'
import { findNewMatches } from './new-matches.ts'
import { type FileIssue, parsePolicyFile } from './policy-file.ts'

export type ReadPolicyDeps = {
  readonly now: Date
  readonly complain: (line: string) => void
}

/** Of the stack, what a policy is read against. */
export type OpenedStack = {
  readonly issuerUrl: string
  readonly inventory: Pick<InventoryStore, 'list' | 'read' | 'readSnapshot'>
}

const maximumShown = 100

/**
 * A policy as it may be applied to a stack, which is opened only for a file that is right by itself. Every problem and
 * warning is told with its line and column.
 * @throws CommandError when there is a problem
 */
export const readPolicy = async <Opened extends OpenedStack>(
  file: string,
  openStack: () => Promise<Opened>,
  { now, complain }: ReadPolicyDeps,
): Promise<{ readonly policy: Policy; readonly stack: Opened }> => {
  const tell = (issues: readonly FileIssue[], kind: string): void => {
    for (const { line, column, detail } of issues.slice(0, maximumShown))
      complain(`${file}:${line}:${column} ${kind}${detail}`)
    if (issues.length > maximumShown) complain(`${file} and ${issues.length - maximumShown} more`)
  }
  const refuse = (issues: readonly FileIssue[]): CommandError => {
    tell(issues, '')
    const problems = issues.length === 1 ? 'a problem' : `${issues.length} problems`
    return new CommandError(`\`${file}\` has ${problems}; nothing was changed`)
  }
  const text = await readFile(file, 'utf8').catch(() => {
    throw new CommandError(`cannot read \`${file}\`; name a policy file`)
  })
  const parsed = parsePolicyFile(text)
  if (!parsed.ok) throw refuse(parsed.issues)
  const stack = await openStack()
  const issues = checkPolicyForIssuer(parsed.directory, stack.issuerUrl)
  if (issues.length > 0) throw refuse(parsed.locate(issues))
  const pinned = parsed.pins.map(({ path, cluster }) => ({ path, detail: `the cluster is \`${cluster}\`` }))
  tell(parsed.locate(pinned), 'pinned: ')
  const matches = await findNewMatches(parsed.policy, parsed.directory, stack.inventory)
  const warnings = [
    ...warnAboutPolicy(parsed.directory, now),
    ...matches.map((match) => ({ path: ['routes', match.route, 'cluster'], detail: newMatchText(match) })),
  ]
  tell(parsed.locate(warnings), 'warning: ')
  return { policy: parsed.policy, stack }
}
