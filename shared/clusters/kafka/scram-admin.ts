import {
  Admin,
  alterUserScramCredentialsV0,
  type Connection,
  describeUserScramCredentialsV0,
  GenericError,
  ResponseError,
} from '@platformatic/kafka'
import type { AdminCredential, Cluster } from '../../domain/cluster.ts'
import { adminConnection } from './admin-connection.ts'
import { hashUsers, type ScramUser } from './hash-users.ts'
import type { ScramMechanism } from './scram-password.ts'

/**
 * Users with SCRAM-SHA-512 on a cluster that speaks the Kafka protocol (KIP-554). Kafka applies the good entries of a
 * request and refuses the others, so every user has an outcome of its own; every call can be repeated.
 */
export type ScramAdmin = {
  /** Creates users and replaces the password of those that exist. The password itself does not go on the wire. */
  readonly upsert: (users: readonly ScramUser[]) => Promise<ReadonlyMap<string, ScramOutcome>>
  /** A user that is not there counts as removed. Connections that are open stay open. */
  readonly remove: (names: readonly string[]) => Promise<ReadonlyMap<string, ScramOutcome>>
  /** The mechanisms of these users, or of all; users without any are left out. */
  readonly describe: (names?: readonly string[]) => Promise<ReadonlyMap<string, readonly ScramMechanism[]>>
  readonly close: () => Promise<void>
}

export type ScramOutcome = { readonly done: true } | { readonly done: false; readonly error: ScramAdminError }

/**
 * - `not_allowed`: the admin may not alter the cluster
 * - `unacceptable`: Kafka does not take this user, for instance for an empty name
 * - `unavailable`: no answer, or one that another try may change; what was asked may have been done
 * - `failed`: anything else
 */
export type ScramErrorCode = 'not_allowed' | 'unacceptable' | 'unavailable' | 'failed'

export class ScramAdminError extends Error {
  readonly code: ScramErrorCode
  /** Kafka's own name of it, for instance `CLUSTER_AUTHORIZATION_FAILED`. */
  readonly kafkaCode: string | undefined

  constructor(code: ScramErrorCode, message: string, kafkaCode?: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ScramAdminError'
    this.code = code
    this.kafkaCode = kafkaCode
  }

  get isRetryable(): boolean {
    return this.code === 'unavailable'
  }
}

/** Kafka takes 1,000 users in about 0.1 s; more in one request only makes a lost answer dearer. */
const chunkSize = 1_000
const mechanismIds = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const satisfies Record<ScramMechanism, number>
const mechanism = 'SCRAM-SHA-512'

const codes: Readonly<Record<string, ScramErrorCode>> = {
  SASL_AUTHENTICATION_FAILED: 'not_allowed',
  CLUSTER_AUTHORIZATION_FAILED: 'not_allowed',
  UNACCEPTABLE_CREDENTIAL: 'unacceptable',
  UNSUPPORTED_SASL_MECHANISM: 'unacceptable',
  INVALID_REQUEST: 'unacceptable',
}
const missing = 'RESOURCE_NOT_FOUND'
/** Kafka stores any name, but its SCRAM messages hold ASCII alone: nobody else ever logs in. */
const canLogIn = (name: string): boolean => /^\p{ASCII}*$/u.test(name)
const done: ScramOutcome = { done: true }

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The first error in a tree of them that Kafka itself answered. */
const protocolErrorOf = (error: unknown): GenericError | undefined => {
  if (error instanceof GenericError && text(error.apiId) !== undefined) return error
  if (!(error instanceof Error)) return undefined
  const causes = error instanceof AggregateError ? [...error.errors, error.cause] : [error.cause]
  for (const cause of causes) {
    const found = protocolErrorOf(cause)
    if (found !== undefined) return found
  }
  return undefined
}

/** Neither Kafka's words nor the client's hold a password: they do not know it. */
const toError = (cause: unknown, what: string): ScramAdminError => {
  const found = protocolErrorOf(cause)
  const kafkaCode = text(found?.apiId)
  // what carries no code of Kafka's is a connection that was lost or never made
  const mayChange = found === undefined || found.canRetry === true
  const code = (kafkaCode && codes[kafkaCode]) || (mayChange ? 'unavailable' : 'failed')
  const reason = text(found?.serverErrorMessage) ?? kafkaCode ?? (cause instanceof Error ? cause.message : 'no answer')
  return new ScramAdminError(code, `${what}: ${reason}`, kafkaCode, { cause })
}

/** The errors of a response by the position of its result; undefined when the request as a whole failed. */
const resultErrors = (error: unknown): ReadonlyMap<number, GenericError> | undefined => {
  if (!(error instanceof ResponseError)) return undefined
  const entries = error.errors.map((each: GenericError) => {
    const position = /^\/results\/(\d+)$/.exec(String(each.path))?.[1]
    return position === undefined ? undefined : ([Number(position), each] as const)
  })
  return entries.every((entry) => entry !== undefined) ? new Map(entries) : undefined
}

type Result = { readonly user: string }

/** The results of a response, and what was wrong with each. */
const settle = async <R extends Result>(
  request: () => Promise<{ readonly results: readonly R[] }>,
): Promise<readonly { readonly result: R; readonly error?: GenericError }[]> => {
  try {
    return (await request()).results.map((result) => ({ result }))
  } catch (error) {
    const errors = resultErrors(error)
    if (errors === undefined || !(error instanceof ResponseError)) throw error
    const { results }: { readonly results: readonly R[] } = error.response
    return results.map((result, at) => {
      const found = errors.get(at)
      return found === undefined ? { result } : { result, error: found }
    })
  }
}

const chunksOf = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / chunkSize) }, (_, at) =>
    list.slice(at * chunkSize, (at + 1) * chunkSize),
  )

const checkNames = (names: readonly string[]): void => {
  const seen = new Set<string>()
  const twice = names.find((name) => seen.size === seen.add(name).size)
  if (twice !== undefined) throw new TypeError(`a user can be named once, got \`${twice}\` twice`)
}

const hash = async (users: readonly ScramUser[]) =>
  (await hashUsers(mechanism, users)).map((user) => ({ ...user, mechanism: mechanismIds[mechanism] }))

const notAscii = (name: string): ScramOutcome => ({
  done: false,
  error: new ScramAdminError('unacceptable', `the user \`${name}\`: a name holds ASCII characters only`),
})

type Alteration<T> = {
  readonly chunks: readonly (readonly T[])[]
  readonly nameOf: (item: T) => string
  readonly prepare: (chunk: readonly T[]) => Promise<Parameters<typeof alterUserScramCredentialsV0.createRequest>>
}

/** Opens no connection before the first call. */
export const createScramAdmin = (cluster: Cluster, credential: AdminCredential): ScramAdmin => {
  const admin = new Admin(adminConnection(cluster, credential))

  /** Before KRaft only the controller takes these requests; with it some broker is named, which passes them on. */
  const controller = async (): Promise<Connection> => {
    const { controllerId } = await admin.metadata({ topics: [], forceUpdate: true })
    const connection = (await admin.connectToBrokers([controllerId])).get(controllerId)
    if (connection === undefined) throw new Error(`the controller of \`${cluster.name}\` cannot be reached`)
    return connection
  }

  const send = async (
    names: readonly string[],
    request: Parameters<typeof alterUserScramCredentialsV0.createRequest>,
    outcomes: Map<string, ScramOutcome>,
  ): Promise<void> => {
    const connection = await controller()
    const results = await settle(() => alterUserScramCredentialsV0.api.async(connection, ...request))
    const isRemoval = request[0].length > 0
    const errors = new Map(results.map(({ result, error }) => [result.user, error]))
    // Kafka answers in an order of its own
    for (const name of names) {
      const error = errors.get(name)
      const isDone = errors.has(name) && (error === undefined || (isRemoval && error.apiId === missing))
      outcomes.set(name, isDone ? done : { done: false, error: toError(error, `the user \`${name}\``) })
    }
  }

  const alter = async <T>({ chunks, nameOf, prepare }: Alteration<T>): Promise<ReadonlyMap<string, ScramOutcome>> => {
    const outcomes = new Map<string, ScramOutcome>()
    let lost: ScramAdminError | undefined
    let next = chunks[0] && prepare(chunks[0])
    for (const [at, chunk] of chunks.entries()) {
      const request = await next
      const following = chunks[at + 1]
      // the next ones are hashed while Kafka works on these
      next = following && lost === undefined ? prepare(following) : undefined
      const names = chunk.map(nameOf)
      if (request !== undefined && lost === undefined) {
        await send(names, request, outcomes).catch((error: unknown) => {
          lost = toError(error, `the users of \`${cluster.name}\``)
        })
      }
      // a cluster that has not answered once is not asked again for every thousand
      if (lost !== undefined) for (const name of names) outcomes.set(name, { done: false, error: lost })
    }
    return outcomes
  }

  return {
    upsert: async (users) => {
      checkNames(users.map(({ name }) => name))
      const outcomes = await alter({
        chunks: chunksOf(users.filter(({ name }) => canLogIn(name))),
        nameOf: ({ name }) => name,
        prepare: async (chunk) => [[], await hash(chunk)],
      })
      return new Map(users.map(({ name }) => [name, outcomes.get(name) ?? notAscii(name)]))
    },
    remove: async (names) => {
      checkNames(names)
      return alter({
        chunks: chunksOf(names),
        nameOf: (name) => name,
        prepare: async (chunk) => [chunk.map((name) => ({ name, mechanism: mechanismIds[mechanism] })), []],
      })
    },
    describe: async (names) => {
      // Kafka reads nobody as everybody
      if (names?.length === 0) return new Map()
      try {
        const connection = await controller()
        // with null instead of an empty list Kafka 4.3 fails over its own refusal and never answers
        const users = (names ?? []).map((name) => ({ name }))
        const results = await settle(() => describeUserScramCredentialsV0.api.async(connection, users))
        return new Map(
          results.flatMap(({ result, error }) => {
            if (error?.apiId === missing) return []
            if (error !== undefined) throw error
            const found = Object.entries(mechanismIds).flatMap(([each, id]) =>
              result.credentialInfos.some((info) => info.mechanism === id) ? [each as ScramMechanism] : [],
            )
            return [[result.user, found] as const]
          }),
        )
      } catch (error) {
        throw toError(error, `the users of \`${cluster.name}\``)
      }
    },
    close: () => admin.close(),
  }
}
