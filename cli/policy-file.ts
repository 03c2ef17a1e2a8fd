import { LineCounter, type Node, parseDocument } from 'yaml'
import { compileDirectory } from '../shared/domain/directory.ts'
import { type Policy, type PolicyIssue, policySchema } from '../shared/domain/policy.ts'

/** One thing wrong with a policy file, where an editor would jump to. */
export type FileIssue = { readonly line: number; readonly column: number; readonly detail: string }

export type PolicyFile =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly issues: readonly FileIssue[] }

const maximumFileLength = 32 * 1024 * 1024
const aliasesAllowed = 0

const dotted = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`))
    .join('')

/** YAML text -> policy, or every problem with its line and column. Anchors and aliases are refused: they hide who gets what. */
export const parsePolicyFile = (text: string): PolicyFile => {
  if (text.length > maximumFileLength)
    return {
      ok: false,
      issues: [{ line: 1, column: 1, detail: `a policy has at most ${maximumFileLength} characters` }],
    }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, merge: false })
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  if (document.errors.length > 0)
    return {
      ok: false,
      issues: document.errors.map((error) => ({ ...at(error.pos[0]), detail: error.message.split('\n')[0] ?? '' })),
    }

  /** The closest node that exists on the way to a path. */
  const locate = (path: readonly PropertyKey[]): { line: number; column: number } => {
    for (let length = path.length; length >= 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as Node | undefined
      if (node?.range) return at(node.range[0])
    }
    return { line: 1, column: 1 }
  }
  const issueAt = ({ path, detail }: PolicyIssue): FileIssue => ({
    ...locate(path),
    detail: path.length === 0 ? detail : `${dotted(path)}: ${detail}`,
  })

  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: aliasesAllowed })
  } catch {
    return { ok: false, issues: [{ line: 1, column: 1, detail: 'write the policy without anchors and aliases' }] }
  }
  const parsed = policySchema.safeParse(value)
  if (!parsed.success)
    return { ok: false, issues: parsed.error.issues.map(({ path, message }) => issueAt({ path, detail: message })) }
  const { issues } = compileDirectory(parsed.data, '')
  return issues.length === 0 ? { ok: true, policy: parsed.data } : { ok: false, issues: issues.map(issueAt) }
}
