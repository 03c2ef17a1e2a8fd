import { SwitchboardError } from '../errors.ts'
import type { Connection } from '../lease.ts'
import type { AnswerConnection } from './answer.ts'

/** One cluster of an answer, with the credential that is held now. */
export const createConnection = (
  connection: AnswerConnection,
  held: { readonly token: Connection['token']; readonly expiresAt: () => Date | undefined },
): Connection => {
  const { cluster, topics, patterns, properties, producer, consumer, credential } = connection
  const lookUp = <T>(entries: Readonly<Record<string, T>>, kind: string, name: string): T => {
    const entry = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (entry !== undefined) return entry
    const known = Object.keys(entries)
    throw new SwitchboardError(
      'unknown_channel',
      `no ${kind} \`${name}\` on cluster \`${cluster.name}\`; the lease has ${known.map((key) => `\`${key}\``).join(', ') || 'none'}`,
    )
  }
  return Object.freeze({
    cluster,
    topics,
    patterns,
    properties,
    producer,
    consumer,
    credential: Object.freeze({
      kind: credential.kind,
      get expiresAt() {
        return held.expiresAt() ?? credential.expiresAt
      },
    }),
    token: held.token,
    topic: (channel: string) => lookUp(topics, 'channel', channel),
    topicsOf: (pattern: string, existing: Iterable<string>) => {
      const entry = lookUp(patterns, 'channel pattern', pattern)
      if (typeof entry !== 'string') return entry
      const expression = new RegExp(entry)
      return [...existing].filter((topic) => expression.test(topic))
    },
  })
}
