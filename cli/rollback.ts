import { compileDirectory } from '../shared/domain/directory.ts'
import { type Policy, policySchema } from '../shared/domain/policy.ts'
import { checkPolicy, checkPolicyForIssuer } from '../shared/domain/policy-checks.ts'
import type { Revision } from '../shared/store/directory-store.ts'
import { type ApplyDeps, applyPolicy } from './apply.ts'
import { CommandError } from './command-error.ts'
import type { Stack } from './stack.ts'
import { renderTable } from './table.ts'

/** Why an apply of this policy would be refused; an earlier version may have let it through. */
const refusalOf = (policy: Policy, issuerUrl: string): string | undefined => {
  const { directory, issues } = compileDirectory(policy, '')
  const [issue] =
    issues.length > 0 ? issues : [...checkPolicy(policy, directory), ...checkPolicyForIssuer(directory, issuerUrl)]
  return issue?.detail
}

/**
 * Applies the policy of an earlier revision (default: the latest other one than that in force) in the order of every
 * apply: what it promises is there before it is in force.
 */
export const rollbackPolicy = async (
  wanted: number | undefined,
  deps: ApplyDeps & Pick<Stack, 'issuerUrl'>,
): Promise<'applied' | 'unchanged'> => {
  const { directories, report, issuerUrl } = deps
  const pointer = await directories.readPointer()
  const revisions = await directories.listRevisions()
  const target =
    wanted === undefined
      ? revisions.find(({ policy }) => policy !== pointer.policy)
      : revisions.find(({ revision }) => revision === wanted)
  if (target === undefined)
    throw new CommandError(
      wanted === undefined
        ? 'no other policy was in force before; see `switchboard revisions`'
        : `no policy was put in force as revision \`${wanted}\`; see \`switchboard revisions\``,
    )
  const policy = await directories.readPolicy(target.policy)
  const issue = policySchema.safeParse(policy).error?.issues[0]?.message ?? refusalOf(policy, issuerUrl)
  if (issue !== undefined)
    throw new CommandError(
      `the policy of revision \`${target.revision}\` is none for this version (${issue}); apply a file instead`,
    )
  report(`back to revision ${target.revision} of ${target.appliedAt.toISOString()}`)
  return applyPolicy(policy, deps)
}

export type History = { readonly inForce: number | undefined; readonly revisions: readonly Revision[] }

export const readHistory = async ({ directories }: Pick<Stack, 'directories'>): Promise<History> => {
  const [pointer, revisions] = await Promise.all([directories.readPointer(), directories.listRevisions()])
  return { inForce: revisions.find(({ policy }) => policy === pointer.policy)?.revision, revisions }
}

export const renderHistory = ({ inForce, revisions }: History): readonly string[] =>
  revisions.length === 0
    ? ['no policy was applied yet']
    : renderTable(
        ['revision', 'applied at', 'policy', ''],
        revisions.map(({ revision, policy, appliedAt }) => [
          String(revision),
          appliedAt.toISOString(),
          policy,
          revision === inForce ? 'in force' : '',
        ]),
      )
