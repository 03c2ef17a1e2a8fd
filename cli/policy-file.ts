import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml'
import { quoted } from '../shared/domain/channel.ts'
import { compileDirectory, type Directory } from '../shared/domain/directory.ts'
import { type Pin, pinClusters } from '../shared/domain/pin-clusters.ts'
import { type Policy, type PolicyIssue, policyFileSchema } from '../shared/domain/policy.ts'
import { checkPolicy } from '../shared/domain/policy-checks.ts'
import { schemaIssues } from './schema-issues.ts'

/** One thing wrong with a policy file, where an editor would jump to. */
export type FileIssue = { readonly line: number; readonly column: number; readonly detail: string }

export type PolicyFile =
  | {
      readonly ok: true
      readonly policy: Policy
      /** What its selectors were found to mean. */
      readonly pins: readonly Pin[]
      readonly directory: Directory
      /** Issues that are found later, in their order in the file. */
      readonly locate: (issues: readonly PolicyIssue[]) => readonly FileIssue[]
    }
  | { readonly ok: false; readonly issues: readonly FileIssue[] }

const maximumFileLength = 32 * 1024 * 1024

/** Keys are shown as they are only where they can do a terminal no harm. */
const keyShown = (key: string): string => (/^[!-~]{1,80}$/.test(key) ? key : quoted(key))

const dotted = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${keyShown(String(part))}`,
    )
    .join('')

const byPosition = (a: FileIssue, b: FileIssue): number => a.line - b.line || a.column - b.column

/** YAML text -> policy, or every problem with its line and column. Anchors and aliases are refused: they hide who gets what. */
export const parsePolicyFile = (text: string): PolicyFile => {
  const refuse = (issues: readonly FileIssue[]): PolicyFile => ({ ok: false, issues: [...issues].sort(byPosition) })
  if (text.length > maximumFileLength)
    return refuse([
      {
        line: 1,
        column: 1,
        detail: `the policy has ${text.length} characters, allowed: at most ${maximumFileLength}`,
      },
    ])
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    strict: true,
    merge: false,
    logLevel: 'error',
  })
  const positionOf = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  if (document.errors.length > 0)
    return refuse(
      document.errors.map((error) => ({ ...positionOf(error.pos[0]), detail: error.message.split('\n')[0] ?? '' })),
    )

  const unreadable: FileIssue[] = []
  visit(document, {
    Pair: (_, { key }) => {
      if (!isScalar(key))
        unreadable.push({
          ...positionOf((key as Node | null)?.range?.[0] ?? 0),
          detail: 'got a list or a map as a name, allowed: a text',
        })
    },
    Node: (_, node) => {
      const written = isAlias(node) ? `*${node.source}` : node.anchor === undefined ? undefined : `&${node.anchor}`
      if (written !== undefined)
        unreadable.push({
          ...positionOf(node.range?.[0] ?? 0),
          detail: `got ${quoted(written)}, allowed: a policy without anchors and aliases, so that a reader sees who gets what`,
        })
    },
  })
  // before anything is made of them: a few lines of aliases can stand for gigabytes
  if (unreadable.length > 0) return refuse(unreadable)

  const keyNode = (path: readonly PropertyKey[]): Node | undefined => {
    const map = document.getIn(path.slice(0, -1), true)
    const pair = isMap(map)
      ? map.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(path.at(-1)))
      : undefined
    return pair?.key as Node | undefined
  }
  /** The closest node that exists on the way to a path. */
  const positionAt = (path: readonly PropertyKey[], of: 'key' | 'value'): { line: number; column: number } => {
    const key = of === 'key' ? keyNode(path) : undefined
    if (key?.range) return positionOf(key.range[0])
    for (let length = path.length; length >= 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as Node | undefined
      if (node?.range) return positionOf(node.range[0])
    }
    return { line: 1, column: 1 }
  }
  const issueAt = ({ path, detail }: PolicyIssue, of: 'key' | 'value'): FileIssue => ({
    ...positionAt(path, of),
    detail: path.length === 0 ? detail : `${dotted(path)}: ${detail}`,
  })
  const locate = (issues: readonly PolicyIssue[]): readonly FileIssue[] =>
    issues.map((issue) => issueAt(issue, 'value')).sort(byPosition)

  const value: unknown = document.toJS()
  const parsed = policyFileSchema.safeParse(value)
  if (!parsed.success) return refuse(schemaIssues(parsed.error, value).map((issue) => issueAt(issue, issue.of)))
  const { policy, pins, issues: unpinned } = pinClusters(parsed.data)
  if (unpinned.length > 0) return refuse(locate(unpinned))
  const { directory, issues } = compileDirectory(policy, '')
  const all = issues.length > 0 ? issues : checkPolicy(policy, directory)
  return all.length > 0 ? refuse(locate(all)) : { ok: true, policy, pins, directory, locate }
}
