import { SwitchboardError } from '../errors.ts'
import type { Connection } from '../lease.ts'
import type { AnswerConnection, AnswerCredential } from './answer.ts'

const unsupported = (cluster: string, has: string, use: string): SwitchboardError =>
  new SwitchboardError('unsupported', `cluster \`${cluster}\` has ${has}; expected ${use}`)

const shownOf = (credential: AnswerCredential, expiresAt: () => Date | undefined): Connection['credential'] => {
  if (credential.kind === 'reference') return Object.freeze({ ...credential })
  if (credential.kind === 'scram') {
    const { kind, mechanism, username, slot } = credential
    return Object.freeze({ kind, mechanism, username, slot })
  }
  return Object.freeze({
    kind: credential.kind,
    get expiresAt() {
      return expiresAt() ?? credential.expiresAt
    },
  })
}

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
    credential: shownOf(credential, held.expiresAt),
    token: () => {
      if (credential.kind === 'jwt') return held.token()
      throw unsupported(cluster.name, 'a stored credential', 'a call of `password`')
    },
    password: () => {
      if (credential.kind === 'scram') return credential.password
      if (credential.kind === 'reference')
        throw unsupported(cluster.name, 'a reference to a stored credential', 'the option `readSecret`')
      throw unsupported(cluster.name, 'tokens', 'a call of `token`')
    },
    topic: (channel: string) => lookUp(topics, 'channel', channel),
    topicsOf: (pattern: string, existing: Iterable<string>) => {
      const entry = lookUp(patterns, 'channel pattern', pattern)
      if (typeof entry !== 'string') return entry
      const expression = new RegExp(entry)
      return [...existing].filter((topic) => expression.test(topic))
    },
  })
}
