import { SwitchboardError } from '../errors.ts'
import type { SecretReference } from '../lease.ts'
import type { Answer, AnswerCredential } from './answer.ts'

type Reference = Extract<AnswerCredential, { kind: 'reference' }>
type Stored = Extract<AnswerCredential, { kind: 'scram' | 'api-key' }>

/** Puts what references stand for in their place. */
export type ReadSecrets = (answer: Answer) => Promise<Answer>

/** Without the parser's own message, which quotes the text. */
const jsonOf = (text: unknown): unknown => {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: unknown })[name]
    : undefined

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** One secret holds both slots, or one each: MSK wants one for each user, with nothing around it, and so has Confluent. */
const loginIn = (text: unknown, reference: Reference): Stored => {
  const { slot, arn } = reference
  const secret = jsonOf(text)
  if (reference.mechanism === 'PLAIN') {
    const [username, password] = [memberOf(secret, 'apiKey'), memberOf(secret, 'apiSecret')]
    if (isText(username) && isText(password))
      return { kind: 'api-key', mechanism: reference.mechanism, username, slot, password }
    throw new SwitchboardError('secret_unavailable', `the secret \`${arn}\` has no API key`)
  }
  const { username, mechanism } = reference
  const login = memberOf(secret, slot) ?? secret
  const password = memberOf(login, 'password')
  if (memberOf(login, 'username') === username && isText(password))
    return { kind: 'scram', mechanism, username, slot, password }
  throw new SwitchboardError('secret_unavailable', `the secret \`${arn}\` has no password of \`${username}\``)
}

export const createSecretReader = (readSecret: (secret: SecretReference) => Promise<string>): ReadSecrets => {
  // what was read stays good when the secret cannot be read for a while: a version never changes
  let known: ReadonlyMap<string, Stored> = new Map()

  const read = async (reference: Reference): Promise<Stored> => {
    const { arn, versionId } = reference
    let text: unknown
    try {
      text = await readSecret({ arn, versionId })
    } catch (cause) {
      const why = cause instanceof Error ? cause.name : 'not an error'
      throw new SwitchboardError('secret_unavailable', `the secret \`${arn}\` could not be read: ${why}`, {
        retryable: true,
        cause,
      })
    }
    return loginIn(text, reference)
  }

  return async (answer) => {
    const used = new Map<string, Stored>()
    const connections = await Promise.all(
      answer.connections.map(async (connection) => {
        const { credential } = connection
        if (credential.kind !== 'reference') return connection
        const key = JSON.stringify([credential.arn, credential.versionId, credential.username, credential.slot])
        const stored = known.get(key) ?? (await read(credential))
        used.set(key, stored)
        return { ...connection, credential: stored }
      }),
    )
    known = used
    return { ...answer, connections: Object.freeze(connections) }
  }
}
