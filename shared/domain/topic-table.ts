import { type ChannelPattern, literalChannel, parseChannelPattern, quoted } from './channel.ts'
import { isTopicName, noTopic, type TopicTemplate } from './topic.ts'

/** One entry of a lookup table as the route that it is: a channel without wildcards and its topic. */
export type TableRoute = { readonly channel: ChannelPattern; readonly topic: TopicTemplate }

export type Table = {
  readonly routes: readonly TableRoute[]
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly detail: string }[]
}

/**
 * `topics: { created: orders.created.v3 }` over a channel with one wildcard segment is a route for each entry and, behind
 * them, one that takes every other channel and leads to no topic. So all that holds of routes holds of tables.
 */
export const expandTable = (channel: ChannelPattern, topics: Readonly<Record<string, string>>): Table => {
  const at = channel.segments.findIndex((segment) => segment.kind !== 'literal')
  const wild = channel.segments.filter((segment) => segment.kind !== 'literal')
  if (wild.length !== 1 || wild[0]?.kind !== 'one')
    return {
      routes: [],
      issues: [
        {
          path: ['topics'],
          detail: `a table needs a channel with one \`{name}\` and no \`**\`, got ${quoted(channel.text)}`,
        },
      ],
    }
  const prefix = `kafka://${channel.domain}/`
  const parts = channel.text.slice(prefix.length).split('/')
  const routes: TableRoute[] = []
  const issues: { path: readonly PropertyKey[]; detail: string }[] = []
  for (const [key, topic] of Object.entries(topics)) {
    const parsed = parseChannelPattern(`${prefix}${parts.with(at, key).join('/')}`)
    if (!parsed.ok || literalChannel(parsed.value) === undefined || key.includes('/'))
      issues.push({
        path: ['topics', key],
        detail: `${quoted(key)} is no segment of a channel; allowed: 1 to 128 of \`A-Z a-z 0-9 . _ -\``,
      })
    else if (!isTopicName(topic))
      issues.push({
        path: ['topics', key],
        detail: `${quoted(topic)} is no topic; allowed: 1 to 249 of \`A-Z a-z 0-9 . _ -\``,
      })
    else
      routes.push({
        channel: parsed.value,
        topic: { text: topic, tokens: topic.split('.').map((text) => ({ kind: 'text', text })) },
      })
  }
  return { routes: [...routes, { channel, topic: noTopic }], issues }
}
