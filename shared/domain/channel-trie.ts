import { type ChannelPattern, scheme } from './channel.ts'

/**
 * First match over ordered patterns. Each node knows the smallest rule index below it, so a search that has found
 * rule 7 never enters a branch whose best rule is 8, whatever the number of rules.
 */
export type ChannelTrie = { readonly domains: Map<string, TrieNode> }

type TrieNode = {
  /** The smallest rule index here and below. */
  smallest: number
  /** The only literal child for as long as there is one: most nodes have no more, and a map takes 200 bytes. */
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

const createNode = (index: number): TrieNode => ({
  smallest: index,
  text: undefined,
  next: undefined,
  literals: undefined,
  one: undefined,
  rest: undefined,
  ends: undefined,
})

export const createChannelTrie = (): ChannelTrie => ({ domains: new Map() })

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

const isOne = (part: string): boolean => part === '*' || part.startsWith('{')

/** Takes the text of a pattern, so that one that is in force need not be parsed. Indices must be added in ascending order. */
export const addPattern = (trie: ChannelTrie, { text }: Pick<ChannelPattern, 'text'>, index: number): void => {
  const [domain = '', ...parts] = text.slice(scheme.length).split('/')
  let node = trie.domains.get(domain)
  if (node === undefined) {
    node = createNode(index)
    trie.domains.set(domain, node)
  }
  for (const part of parts) {
    if (part === '**') {
      if (node.rest === undefined) node.rest = [index]
      else node.rest.push(index)
      return
    }
    let next: TrieNode | undefined = isOne(part) ? node.one : literalChild(node, part)
    if (next === undefined) {
      next = createNode(index)
      if (isOne(part)) node.one = next
      else addLiteralChild(node, part, next)
    }
    node = next
  }
  if (node.ends === undefined) node.ends = [index]
  else node.ends.push(index)
}

/** The smallest rule index whose pattern has the channel and that `accepts` takes. */
export const firstMatch = (
  trie: ChannelTrie,
  domain: string,
  segments: readonly string[],
  accepts: (index: number) => boolean = () => true,
): number | undefined => {
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
    const segment = segments[depth]
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
  const root = trie.domains.get(domain)
  if (root !== undefined) visit(root, 0)
  return best === Number.POSITIVE_INFINITY ? undefined : best
}

/** The rules that have a channel in common with the pattern, ascending. */
export const indicesMeeting = (trie: ChannelTrie, pattern: ChannelPattern): readonly number[] => {
  const found: number[] = []
  const add = (indices: readonly number[] | undefined): void => {
    for (const index of indices ?? []) found.push(index)
  }
  const addAll = (node: TrieNode): void => {
    add(node.ends)
    addBelow(node)
  }
  const addBelow = (node: TrieNode): void => {
    add(node.rest)
    if (node.one !== undefined) addAll(node.one)
    for (const next of literalChildren(node)) addAll(next)
  }
  const visit = (node: TrieNode, depth: number): void => {
    const segment = pattern.segments[depth]
    if (segment === undefined) {
      add(node.ends)
      return
    }
    if (segment.kind === 'rest') {
      addBelow(node)
      return
    }
    add(node.rest)
    if (node.one !== undefined) visit(node.one, depth + 1)
    if (segment.kind === 'one') for (const next of literalChildren(node)) visit(next, depth + 1)
    else {
      const next = literalChild(node, segment.text)
      if (next !== undefined) visit(next, depth + 1)
    }
  }
  const root = trie.domains.get(pattern.domain)
  if (root !== undefined) visit(root, 0)
  return found.sort((a, b) => a - b)
}

/** Whether any rule has a channel in common with the pattern. */
export const meetsAny = (trie: ChannelTrie, pattern: ChannelPattern): boolean => {
  const visit = (node: TrieNode, depth: number): boolean => {
    const segment = pattern.segments[depth]
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
  const root = trie.domains.get(pattern.domain)
  return root !== undefined && visit(root, 0)
}
