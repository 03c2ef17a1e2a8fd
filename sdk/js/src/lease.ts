import type { Clock } from './clock.ts'
import type { Properties, TokenKind } from './lib/answer.ts'

export type { Properties } from './lib/answer.ts'

/** The workload's own OIDC token, or a function that returns the newest one (it is called before every request). */
export type WorkloadToken = string | (() => string | Promise<string>)

/** A version of a secret in AWS Secrets Manager. */
export type SecretReference = { readonly arn: string; readonly versionId: string }

/** What a service wants to do; at least one channel in `produce` or `consume`. */
export type Intent = {
  /** Channels to write to, such as `kafka://payments.acme.com/orders/created`. */
  readonly produce?: readonly string[]
  /** Channels to read. */
  readonly consume?: readonly string[]
  /**
   * The consumer group.
   * @default - the principal's own name
   */
  readonly group?: string
  /**
   * Named settings for each role.
   * @default - the route's, else the policy's
   */
  readonly profile?: { readonly producer?: string; readonly consumer?: string }
  /**
   * The network this client is in; decides which listener of the cluster it gets.
   * @default - Switchboard chooses
   */
  readonly network?: string
}

/** What happened to a lease; for logs and metrics. No event holds a secret. */
export type LeaseEvent =
  /** Not there yet: `openLease` asks again in `retryInMs`. */
  | { readonly type: 'waiting'; readonly error: Error; readonly retryInMs: number }
  /** Renewed; `changed` says whether anything but tokens and times is different. */
  | { readonly type: 'renewed'; readonly changed: boolean; readonly expiresAt: Date }
  /**
   * Clients of this cluster have to be made anew with `lease.connection(cluster)`: it is another Kafka user now, or the
   * channels are elsewhere. Those that run go on for as long as the lease is renewed and they are held.
   */
  | { readonly type: 'replaced'; readonly cluster: string }
  /** Not renewed; clients go on with what they hold, and the lease tries again in `retryInMs`. */
  | { readonly type: 'renewal_failed'; readonly error: Error; readonly retryInMs: number }

export type LeaseOptions = {
  /** Switchboard's base URL; `https`, or `http` on a loopback address. */
  readonly url: string
  readonly token: WorkloadToken
  readonly intent: Intent
  /**
   * Names this client among others of the same workload, such as the pod's name; the second lease of a process with the
   * same intent adds its number.
   * @default - random, one per process
   */
  readonly instance?: string
  /**
   * Reads the text (`SecretString`) of a secret, with rights of the workload's own. Called where a cluster hands out its
   * stored credentials as references, once for each that is new; what it rejects with is tried again.
   * @default - connections have the reference, and the rest is the program's own work
   */
  readonly readSecret?: (secret: SecretReference) => Promise<string>
  /**
   * Ends the wait for the first answer and closes the lease.
   * @default - nothing does
   */
  readonly signal?: AbortSignal
  /**
   * How long to wait for the first answer while Switchboard asks to wait or cannot be reached.
   * @default 60_000
   */
  readonly startTimeoutMs?: number
  /**
   * How long one request may take.
   * @default 3_000
   */
  readonly requestTimeoutMs?: number
  /**
   * Told what happens to the lease.
   * @default - nobody is
   */
  readonly onEvent?: (event: LeaseEvent) => void
  /**
   * Sends the requests.
   * @default - the global `fetch`
   */
  readonly fetch?: typeof globalThis.fetch
  /**
   * Where time comes from.
   * @default - the system
   */
  readonly clock?: Clock
  /**
   * Where jitter comes from: 0 to below 1.
   * @default Math.random
   */
  readonly random?: () => number
}

/**
 * Where the schemas of a cluster's records are. It is asked request by request, so what it is asked with is always what is
 * good now.
 */
export type SchemaRegistry = {
  readonly url: string
  /** On Confluent Cloud, what the header `target-sr-cluster` has to say. */
  readonly logicalCluster: string | undefined
  /** On Confluent Cloud, what the header `Confluent-Identity-Pool-Id` has to say. */
  readonly identityPoolId: string | undefined
  /** `jwt`: a token, as `Bearer`; `basic`: a user and a password, as `Basic`. */
  readonly credential:
    | { readonly kind: 'jwt'; readonly expiresAt: Date }
    | { readonly kind: 'basic'; readonly username: string }
  /**
   * The newest token, as `Connection.token`.
   * @throws {SwitchboardError} `credential_ended` (try again), `lease_closed`, `unsupported` with a password
   */
  readonly token: () => string | Promise<string>
  /**
   * The newest password.
   * @throws {SwitchboardError} `unsupported` with tokens
   */
  readonly password: () => string
}

/** One cluster of a lease: its settings as Switchboard gave them, and its credential as it is now. */
export type Connection = {
  readonly cluster: { readonly name: string; readonly provider: string; readonly region?: string }
  /** Topic of each channel asked for. */
  readonly topics: Readonly<Record<string, string>>
  /** Anchored regular expression, or list of topics, of each channel pattern asked for. */
  readonly patterns: Readonly<Record<string, string | readonly string[]>>
  /** Kafka's own names: `bootstrap.servers`, `security.protocol`, ... */
  readonly properties: Properties
  /** What a client sends beside its token, by name, as Confluent Cloud wants it; empty elsewhere. */
  readonly extensions: Readonly<Record<string, string>>
  /** Kafka's own names; only when the intent produces. */
  readonly producer: Properties | undefined
  /** Kafka's own names; only when the intent consumes. */
  readonly consumer: Properties | undefined
  /** Only where the cluster has one and a grant gives it. */
  readonly schemaRegistry: SchemaRegistry | undefined
  readonly credential: /** `msk-iam`: a token of AWS for Amazon MSK; clients send it as they send any other. */
    | {
        readonly kind: TokenKind
        /** End of the token held now. */
        readonly expiresAt: Date
      }
    /** A user that the cluster has on record, or an API key; another `slot` is another one. */
    | {
        readonly kind: 'scram' | 'api-key'
        readonly mechanism: 'SCRAM-SHA-512' | 'PLAIN'
        readonly username: string
        readonly slot: string
        /** It does not end by itself. */
        readonly expiresAt?: undefined
      }
    /**
     * The same, and its password is where `arn` says; only without `readSecret`. The secret is JSON: `{ username, password }`,
     * on some clusters below the name of the `slot`; of an API key, which has no `username` here, `{ apiKey, apiSecret, ... }`.
     */
    | {
        readonly kind: 'reference'
        readonly mechanism: 'SCRAM-SHA-512' | 'PLAIN'
        readonly arn: string
        readonly versionId: string
        readonly username?: string | undefined
        readonly slot: string
        readonly expiresAt?: undefined
      }
  /**
   * The newest token. A token that is over is never returned: the call waits for a renewal, for at most 4 seconds.
   *
   * It answers at once, without a promise, as long as the token held is good.
   *
   * @throws {SwitchboardError} `credential_ended` (try again), `lease_closed`, `unsupported` with a stored credential
   */
  readonly token: () => string | Promise<string>
  /**
   * The password of a stored credential; the same for the life of this object.
   * @throws {SwitchboardError} `unsupported` with tokens, and with a reference that no `readSecret` reads
   */
  readonly password: () => string
  /**
   * The topic of a channel.
   * @throws {SwitchboardError} `unknown_channel`
   */
  readonly topic: (channel: string) => string
  /**
   * The topics of a channel pattern among those that exist.
   * @throws {SwitchboardError} `unknown_channel`
   */
  readonly topicsOf: (pattern: string, existing: Iterable<string>) => readonly string[]
}

/** What Switchboard gave, kept fresh until it is closed. */
export type Lease = {
  readonly id: string
  readonly expiresAt: Date
  /** One per cluster, as the last answer said. */
  readonly connections: readonly Connection[]
  /**
   * The connection to a cluster; the name may be left out when there is one.
   * @throws {SwitchboardError} `unknown_cluster`
   */
  readonly connection: (cluster?: string) => Connection
  /**
   * The connection to the cluster that a channel of the intent is on now.
   * @throws {SwitchboardError} `unknown_channel`
   */
  readonly connectionOf: (channel: string) => Connection
  /**
   * Says that a client runs with the credential of this connection, until what is returned is called. A stored credential
   * is not taken away from a client that is held; when no client holds an earlier one any more, Switchboard is told.
   * `keepClient` does this by itself.
   */
  readonly hold: (connection: Connection) => () => void
  /** Calls `listener` when the clients of a cluster have to be made anew; ends with what is returned. */
  readonly onReplaced: (listener: (cluster: string) => void) => () => void
  /** Ends renewal. Clients made with this lease go on until their token ends. */
  readonly close: () => void
}
