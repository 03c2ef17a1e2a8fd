import { type ChannelPattern, type PatternSegment, scheme } from './channel.ts'

/**
 * First match over ordered patterns. Each node knows the smallest rule index below it, so a search that has found
 * rule 7 never enters a branch whose best rule is 8, whatever the number of rules. The domain is the first part of a path.
 */
export type ChannelTrie = { root: TrieNode | undefined }

type TrieNode = {
  /** The smallest rule index here and below. */
  smallest: number
  /** The pattern of the only rule below: most rules are soon alone, and need no nodes of their own. */
  alone: string | undefined
  /** Where in it what is left begins; behind its end where nothing is. */
  from: number
  /** The only literal child for as long as there is one: a map takes 200 bytes. */
  text: string | undefined
  next: TrieNode | undefined
  /** The literal children when there are several. */
  literals: Map<string, TrieNode> | undefined
  one: TrieNode | undefined
  /** Rules that end in `**` here, ascending. */
  rest: number[] | undefined
  /** Rules that end here, ascending. */
  ends: number[] | undefined
}

const createNode = (index: number, alone: string, from: number): TrieNode => ({
  smallest: index,
  alone,
  from,
  text: undefined,
  next: undefined,
  literals: undefined,
  one: undefined,
  rest: undefined,
  ends: undefined,
})

export const createChannelTrie = (): ChannelTrie => ({ root: undefined })

const endOfPart = (pattern: string, from: number): number => {
  const slash = pattern.indexOf('/', from)
  return slash < 0 ? pattern.length : slash
}

// in place: a directory has hundreds of thousands of parts, and cutting them out is most of what its compilation takes
const isRestAt = (pattern: string, from: number): boolean => pattern.startsWith('**', from)
const isOneAt = (pattern: string, from: number): boolean => pattern[from] === '*' || pattern[from] === '{'
const isAt = (pattern: string, from: number, end: number, text: string): boolean =>
  end - from === text.length && pattern.startsWith(text, from)

const literalChild = (node: TrieNode, text: string): TrieNode | undefined =>
  node.literals === undefined ? (node.text === text ? node.next : undefined) : node.literals.get(text)

const literalChildren = (node: TrieNode): Iterable<TrieNode> =>
  node.literals?.values() ?? (node.next === undefined ? [] : [node.next])

const addLiteralChild = (node: TrieNode, text: string, child: TrieNode): void => {
  if (node.literals !== undefined) node.literals.set(text, child)
  else if (node.text === undefined || node.next === undefined) {
    node.text = text
    node.next = child
  } else
    node.literals = new Map([
      [node.text, node.next],
      [text, child],
    ])
}

/** Goes one part down; the node where the rest of the pattern belongs, unless it is placed already. */
const addPart = (node: TrieNode, pattern: string, from: number, index: number): TrieNode | undefined => {
  if (from > pattern.length) {
    if (node.ends === undefined) node.ends = [index]
    else node.ends.push(index)
    return undefined
  }
  if (isRestAt(pattern, from)) {
    if (node.rest === undefined) node.rest = [index]
    else node.rest.push(index)
    return undefined
  }
  const end = endOfPart(pattern, from)
  if (isOneAt(pattern, from)) {
    if (node.one !== undefined) return node.one
    node.one = createNode(index, pattern, end + 1)
    return undefined
  }
  const part = pattern.slice(from, end)
  const child = literalChild(node, part)
  if (child === undefined) addLiteralChild(node, part, createNode(index, pattern, end + 1))
  return child
}

/** Takes the text of a pattern, so that one that is in force need not be parsed. Indices must be added in ascending order. */
export const addPattern = (trie: ChannelTrie, { text }: Pick<ChannelPattern, 'text'>, index: number): void => {
  let node = trie.root
  if (node === undefined) trie.root = createNode(index, text, scheme.length)
  for (let from = scheme.length; node !== undefined; from = endOfPart(text, from) + 1) {
    const { alone } = node
    if (alone !== undefined) {
      node.alone = undefined
      addPart(node, alone, node.from, node.smallest)
    }
    node = addPart(node, text, from, index)
  }
}

const tailHas = ({ from }: TrieNode, pattern: string, path: readonly string[], depth: number): boolean => {
  let at = depth
  for (let start = from; start <= pattern.length; at++) {
    const segment = path[at]
    if (segment === undefined) return false
    if (isRestAt(pattern, start)) return true
    const end = endOfPart(pattern, start)
    if (!isOneAt(pattern, start) && !isAt(pattern, start, end, segment)) return false
    start = end + 1
  }
  return at === path.length
}

const tailMeets = ({ from }: TrieNode, pattern: string, path: readonly PatternSegment[], depth: number): boolean => {
  let at = depth
  for (let start = from; start <= pattern.length; at++) {
    const segment = path[at]
    if (segment === undefined) return false
    if (isRestAt(pattern, start) || segment.kind === 'rest') return true
    const end = endOfPart(pattern, start)
    if (segment.kind === 'literal' && !isOneAt(pattern, start) && !isAt(pattern, start, end, segment.text)) return false
    start = end + 1
  }
  return at === path.length
}

/** The smallest rule index whose pattern has the channel and that `accepts` takes. */
export const firstMatch = (
  trie: ChannelTrie,
  domain: string,
  segments: readonly string[],
  accepts: (index: number) => boolean = () => true,
): number | undefined => {
  const path = [domain, ...segments]
  let best = Number.POSITIVE_INFINITY
  const take = (indices: readonly number[] | undefined): void => {
    if (indices === undefined) return
    for (const index of indices) {
      if (index >= best) return
      if (accepts(index)) {
        best = index
        return
      }
    }
  }
  const visit = (node: TrieNode, depth: number): void => {
    if (node.smallest >= best) return
    if (node.alone !== undefined) {
      if (tailHas(node, node.alone, path, depth) && accepts(node.smallest)) best = node.smallest
      return
    }
    const segment = path[depth]
    if (segment === undefined) {
      take(node.ends)
      return
    }
    take(node.rest)
    const literal = literalChild(node, segment)
    const { one } = node
    if (literal !== undefined && one !== undefined) {
      const [nearer, farther] = literal.smallest <= one.smallest ? [literal, one] : [one, literal]
      visit(nearer, depth + 1)
      visit(farther, depth + 1)
    } else if (literal !== undefined) visit(literal, depth + 1)
    else if (one !== undefined) visit(one, depth + 1)
  }
  if (trie.root !== undefined) visit(trie.root, 0)
  return best === Number.POSITIVE_INFINITY ? undefined : best
}

const pathOf = ({ domain, segments }: ChannelPattern): readonly PatternSegment[] => [
  { kind: 'literal', text: domain },
  ...segments,
]

/** Tells of every rule before `before` that has a channel in common with the pattern, in no order, until `take` says stop. */
const visitMeeting = (
  trie: ChannelTrie,
  pattern: ChannelPattern,
  before: number,
  take: (index: number) => boolean,
): boolean => {
  const path = pathOf(pattern)
  const takeAll = (indices: readonly number[] | undefined): boolean => {
    for (const index of indices ?? []) {
      if (index >= before) return false
      if (take(index)) return true
    }
    return false
  }
  const takeNode = (node: TrieNode): boolean => {
    if (node.smallest >= before) return false
    if (node.alone !== undefined) return take(node.smallest)
    return takeAll(node.ends) || takeBelow(node)
  }
  const takeBelow = (node: TrieNode): boolean => {
    if (takeAll(node.rest) || (node.one !== undefined && takeNode(node.one))) return true
    for (const next of literalChildren(node)) if (takeNode(next)) return true
    return false
  }
  const visit = (node: TrieNode, depth: number): boolean => {
    if (node.smallest >= before) return false
    if (node.alone !== undefined) return tailMeets(node, node.alone, path, depth) && take(node.smallest)
    const segment = path[depth]
    if (segment === undefined) return takeAll(node.ends)
    if (segment.kind === 'rest') return takeBelow(node)
    if (takeAll(node.rest) || (node.one !== undefined && visit(node.one, depth + 1))) return true
    if (segment.kind === 'literal') {
      const next = literalChild(node, segment.text)
      return next !== undefined && visit(next, depth + 1)
    }
    for (const next of literalChildren(node)) if (visit(next, depth + 1)) return true
    return false
  }
  return trie.root !== undefined && visit(trie.root, 0)
}

/**
 * The rules that have a channel in common with the pattern, ascending.
 * @param atMost with more of them, only some are found, and one more than this
 */
export const indicesMeeting = (
  trie: ChannelTrie,
  pattern: ChannelPattern,
  atMost = Number.POSITIVE_INFINITY,
): readonly number[] => {
  const found: number[] = []
  visitMeeting(trie, pattern, Number.POSITIVE_INFINITY, (index) => found.push(index) > atMost)
  return found.sort((a, b) => a - b)
}

/** Whether a rule before `before` that `accepts` takes has a channel in common with the pattern. */
export const meetsSome = (
  trie: ChannelTrie,
  pattern: ChannelPattern,
  before: number,
  accepts: (index: number) => boolean,
): boolean => visitMeeting(trie, pattern, before, accepts)

/** Whether any rule has a channel in common with the pattern. */
export const meetsAny = (trie: ChannelTrie, pattern: ChannelPattern): boolean => {
  const path = pathOf(pattern)
  const visit = (node: TrieNode, depth: number): boolean => {
    if (node.alone !== undefined) return tailMeets(node, node.alone, path, depth)
    const segment = path[depth]
    if (segment === undefined) return node.ends !== undefined
    if (node.rest !== undefined) return true
    if (segment.kind === 'rest') return node.one !== undefined || node.next !== undefined
    if (node.one !== undefined && visit(node.one, depth + 1)) return true
    if (segment.kind === 'literal') {
      const next = literalChild(node, segment.text)
      return next !== undefined && visit(next, depth + 1)
    }
    return [...literalChildren(node)].some((next) => visit(next, depth + 1))
  }
  return trie.root !== undefined && visit(trie.root, 0)
}

/**
 * How many steps a search may take for one channel, at most: a literal and a `*` at the same place double the ways, and
 * rules of one pattern are tried one by one.
 * @param alwaysHolds whether a search that meets this rule ends there
 */
export const longestSearch = (trie: ChannelTrie, alwaysHolds: (index: number) => boolean): number => {
  /** The first of the rules is tried on the way. */
  const triedBesides = (indices: readonly number[] = []): number => {
    const last = indices.findIndex(alwaysHolds)
    return Math.max(0, last < 0 ? indices.length - 1 : last)
  }
  const visits = (node: TrieNode): number => {
    let most = 0
    for (const next of literalChildren(node)) most = Math.max(most, visits(next))
    const below = most + (node.one === undefined ? 0 : visits(node.one))
    return 1 + triedBesides(node.rest) + Math.max(triedBesides(node.ends), below)
  }
  return trie.root === undefined ? 0 : visits(trie.root)
}
