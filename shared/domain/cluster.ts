import type { ProviderClock, RotationPolicy } from './rotation.ts'

/** How a credential is made; the mechanism on the wire follows from it. `jwt`: minted; `scram`: stored, in two slots. */
export type CredentialKind = 'jwt' | 'scram'

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
}

/** A cluster that keeps its own users. */
export type KafkaCluster = AnyCluster & { readonly provider: 'kafka' }

/** Amazon MSK, provisioned: its users come from secrets that are associated with it. */
export type MskCluster = AnyCluster & { readonly provider: 'msk'; readonly arn: string }

export type Cluster = KafkaCluster | MskCluster

/** Who runs a cluster, and so how its credentials are made and how long that takes. */
export type Provider = Cluster['provider']

/** The audience that the cluster's brokers expect of our tokens. */
export const clusterAudience = (cluster: Cluster, issuerUrl: string): string =>
  cluster.audience ?? `${issuerUrl.replace(/\/$/, '')}/clusters/${cluster.name}`

/** Who rotate is on a self-managed cluster. */
export type AdminCredential = {
  readonly username: string
  readonly password: string
  readonly mechanism: 'SCRAM-SHA-512' | 'SCRAM-SHA-256' | 'PLAIN'
}
