import { SwitchboardError } from '../errors.ts'
import type { Connection, SchemaRegistry } from '../lease.ts'
import type { AnswerConnection, AnswerCredential, AnswerRegistry } from './answer.ts'

const unsupported = (cluster: string, has: string, use: string): SwitchboardError =>
  new SwitchboardError('unsupported', `cluster \`${cluster}\` has ${has}; expected ${use}`)

const shownOf = (credential: AnswerCredential, expiresAt: () => Date | undefined): Connection['credential'] => {
  if (credential.kind === 'reference') return Object.freeze({ ...credential })
  if ('password' in credential) {
    const { password: _, ...shown } = credential
    return Object.freeze(shown)
  }
  return shownToken(credential.kind, credential.expiresAt, expiresAt)
}

const shownToken = <Kind>(kind: Kind, first: Date, expiresAt: () => Date | undefined) =>
  Object.freeze({
    kind,
    get expiresAt() {
      return expiresAt() ?? first
    },
  })

export type HeldToken = { readonly token: Connection['token']; readonly expiresAt: () => Date | undefined }

export type HeldRegistry = HeldToken & { readonly registry: () => AnswerRegistry | undefined }

const createRegistry = (cluster: string, answered: AnswerRegistry, held: HeldRegistry): SchemaRegistry => {
  const { url, logicalCluster, identityPoolId } = answered
  const current = (): AnswerRegistry['credential'] => held.registry()?.credential ?? answered.credential
  const { credential: first } = answered
  return Object.freeze({
    url,
    logicalCluster,
    identityPoolId,
    credential:
      first.kind === 'basic'
        ? Object.freeze({
            kind: 'basic' as const,
            // another password may be another user's: an API key changes with its secret
            get username() {
              const now = current()
              return now.kind === 'basic' ? now.username : first.username
            },
          })
        : shownToken('jwt' as const, first.expiresAt, held.expiresAt),
    token: () => {
      if (current().kind === 'jwt') return held.token()
      throw unsupported(cluster, 'a schema registry with a password', 'a call of `password`')
    },
    password: () => {
      const credential = current()
      if (credential.kind === 'basic') return credential.password
      throw unsupported(cluster, 'a schema registry with tokens', 'a call of `token`')
    },
  })
}

/** One cluster of an answer, with the credential that is held now. */
export const createConnection = (
  connection: AnswerConnection,
  held: HeldToken & { readonly registry: HeldRegistry },
): Connection => {
  const { cluster, topics, patterns, properties, extensions, producer, consumer, credential, schemaRegistry } =
    connection
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
    extensions,
    producer,
    consumer,
    credential: shownOf(credential, held.expiresAt),
    schemaRegistry: schemaRegistry && createRegistry(cluster.name, schemaRegistry, held.registry),
    token: () => {
      if ('token' in credential) return held.token()
      throw unsupported(cluster.name, 'a stored credential', 'a call of `password`')
    },
    password: () => {
      if ('password' in credential) return credential.password
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
