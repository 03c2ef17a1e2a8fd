import type { ProviderClock, RotationPolicy } from './rotation.ts'

/**
 * How a credential is made; the mechanism on the wire follows from it. `jwt`: a token of ours; `msk-iam`: a token of AWS,
 * made from a session of a role; `workload`: a token that the client gets from AWS by itself, of its own role; `scram` and
 * `api-key`: stored, in two slots.
 */
export type CredentialKind = 'jwt' | 'msk-iam' | 'workload' | 'scram' | 'api-key'

/** A user and its password, or on Confluent Cloud an API key and its secret; no cluster has both. */
export type StoredKind = Extract<CredentialKind, 'scram' | 'api-key'>

export const isStored = (kind: CredentialKind): kind is StoredKind => kind === 'scram' || kind === 'api-key'

export type SecurityProtocol = 'SASL_PLAINTEXT' | 'SASL_SSL'

/** What brokers advertise under one name; `network` says from where it is reachable. */
export type Listener = {
  readonly name: string
  readonly network: string | undefined
  readonly bootstrap: string
  readonly security: SecurityProtocol
  /** What it takes to log in there; undefined: whatever the cluster takes. */
  readonly auth?: readonly CredentialKind[] | undefined
}

/** What a policy says about the stored credentials of a cluster; what it leaves out is the provider's own. */
export type RotationOverrides = Partial<RotationPolicy> & { readonly clock?: Partial<ProviderClock> | undefined }

/** Where the schemas of a cluster's records are, and how a registry lets a principal in that a grant lets there. */
export type SchemaRegistry = PoolRegistry | KeyRegistry | UserRegistry

type AnyRegistry = {
  readonly url: string
  /** Secret of who crawl is there; undefined: nobody. */
  readonly crawlSecret: string | undefined
}

/** Of Confluent Cloud: it takes our token for the cluster, as the identity pool of the principal. `id`: `lsrc-...` */
type PoolRegistry = AnyRegistry & { readonly kind: 'jwt'; readonly id: string }

/** Of Confluent Cloud: it takes API keys of its own, of which each slot of a stored credential has one. `id`: `lsrc-...` */
type KeyRegistry = AnyRegistry & { readonly kind: 'api-key'; readonly id: string }

/** It takes HTTP Basic, with user and password in a secret whose name may have `{principal}`. */
type UserRegistry = AnyRegistry & { readonly kind: 'basic'; readonly secret: string }

/** The registry that each slot of a stored credential of the cluster has an API key of; undefined: none takes any. */
export const registryOfKeys = ({
  schemaRegistry: registry,
}: Pick<Cluster, 'schemaRegistry'>): KeyRegistry | undefined => (registry?.kind === 'api-key' ? registry : undefined)

/** The secret that a registry lets a principal in by. */
export const registrySecretOf = (secret: string, principal: string): string =>
  secret.replaceAll('{principal}', principal)

type AnyCluster = {
  readonly name: string
  readonly auth: readonly CredentialKind[]
  readonly listeners: readonly Listener[]
  /** Certificate authority in PEM, when it is not a public one. */
  readonly ca: string | undefined
  /** `aud` of our tokens for this cluster; undefined: `<issuer>/clusters/<name>`. */
  readonly audience: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly adminSecret: string | undefined
  /** How its stored credentials are handed out: the password, or where the caller may read it with rights of its own. */
  readonly credential: 'value' | 'reference'
  /** Of its stored credentials: what the policy says otherwise than the provider's own times. */
  readonly rotation: RotationOverrides
  readonly quarantined: boolean
  readonly schemaRegistry?: SchemaRegistry | undefined
}

/** A cluster that keeps its own users. */
export type KafkaCluster = AnyCluster & { readonly provider: 'kafka' }

/** Amazon MSK: users come from secrets that are associated with it, and whoever IAM lets in needs no user. */
export type MskCluster = AnyCluster & {
  readonly provider: 'msk'
  readonly arn: string
  /** ARN of the role that principals are there by IAM, with `{principal}`; undefined: the one that the stack has. */
  readonly iamRole: string | undefined
}

/**
 * Confluent Cloud: it knows our tokens by an identity provider, and a principal by the identity pool that is its own, or by
 * the service account of its API keys.
 */
export type ConfluentCluster = AnyCluster & {
  readonly provider: 'confluent'
  /** `lkc-...` */
  readonly id: string
  /** `env-...`; API keys are made in it. */
  readonly environment: string | undefined
  /** `op-...`; undefined: nobody has set it up yet. */
  readonly identityProvider: string | undefined
  /** What tokens of AWS are for, and which region's STS makes them; undefined: pools are of our tokens. */
  readonly workload: { readonly audience: string; readonly region: string } | undefined
  /** Principal -> `pool-...`, the Kafka user that its tokens log in as. */
  readonly identityPools: ReadonlyMap<string, string>
  /** Principal -> `sa-...`, the Kafka user that its API keys log in as. */
  readonly serviceAccounts: ReadonlyMap<string, string>
  /** Secret of the Cloud API key with which rotate makes API keys and has Confluent read our keys again. */
  readonly cloudSecret: string | undefined
}

export type Cluster = KafkaCluster | MskCluster | ConfluentCluster

/** What a cluster has beside what all of them have. */
export type ProviderPart<C extends Cluster> = Omit<C, keyof AnyCluster>

/** Who runs a cluster, and so how its credentials are made and how long that takes. */
export type Provider = Cluster['provider']

/** The audience that the cluster's brokers expect of our tokens. */
export const clusterAudience = (cluster: Cluster, issuerUrl: string): string =>
  cluster.audience ?? `${issuerUrl.replace(/\/$/, '')}/clusters/${cluster.name}`

/**
 * The identity pool of a principal; none: nobody made one for it yet, so that no token of its logs in there.
 * @returns undefined where a token's own subject is the Kafka user
 */
export const identityPoolsOf = (cluster: Cluster, principal: string): readonly string[] | undefined => {
  if (cluster.provider !== 'confluent') return undefined
  const pool = cluster.identityPools.get(principal)
  return pool === undefined ? [] : [pool]
}

/**
 * The service account of a principal; none: nobody made one for it yet, so that it can have no API key there.
 * @returns undefined where there are no API keys
 */
export const serviceAccountsOf = (cluster: Cluster, principal: string): readonly string[] | undefined => {
  if (cluster.provider !== 'confluent') return undefined
  const account = cluster.serviceAccounts.get(principal)
  return account === undefined ? [] : [account]
}

/** Who rotate is on a cluster. */
export type AdminCredential = {
  readonly username: string
  readonly password: string
  readonly mechanism: 'SCRAM-SHA-512' | 'SCRAM-SHA-256' | 'PLAIN'
}
