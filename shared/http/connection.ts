import type { Admission } from '../domain/admission.ts'
import { identityPoolsOf, isStored, type StoredKind } from '../domain/cluster.ts'
import type { ConnectionDecision } from '../domain/decide.ts'
import type { Intent } from '../domain/intent.ts'
import type { Principal } from '../domain/principal.ts'
import type { PropertyValue } from '../domain/profile.ts'
import type { SlotName } from '../domain/rotation.ts'
import { anchoredExpression } from '../domain/topic.ts'

/** How a client logs in with a stored credential of each kind. */
export const storedMechanisms = { scram: 'SCRAM-SHA-512', 'api-key': 'PLAIN' } as const satisfies Record<
  StoredKind,
  string
>

/** What one cluster's part of an answer says without its credential; Kafka's own names, no secret. */
export type ConnectionSettings = {
  readonly cluster: { readonly name: string; readonly provider: string }
  readonly topics: Readonly<Record<string, string>>
  /** Asked pattern -> anchored regular expression over topics. */
  readonly patterns?: Readonly<Record<string, string>>
  readonly properties: Readonly<Record<string, PropertyValue>>
  /** What a client sends beside its token, by name. @see https://www.rfc-editor.org/rfc/rfc7628#section-3.1 */
  readonly extensions?: Readonly<Record<string, string>>
  readonly producer?: Readonly<Record<string, PropertyValue>>
  readonly consumer?: Readonly<Record<string, PropertyValue>>
  readonly schemaRegistry?: RegistrySettings
}

/**
 * The registry of a cluster's schemas, where a grant lets there. What a registry of Confluent Cloud has to be told besides
 * a token are the headers `target-sr-cluster` and `Confluent-Identity-Pool-Id`.
 */
export type RegistrySettings = {
  readonly url: string
  readonly logicalCluster?: string
  readonly identityPoolId?: string
}

/** What a registry takes: `Bearer` or `Basic`. */
export type RegistryCredential =
  | { readonly kind: 'jwt'; readonly token: string; readonly expiresAt: string }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }

/** A token ends; a stored credential works for as long as a lease names its slot. */
export type AnswerCredential =
  | { readonly kind: 'jwt'; readonly token: string; readonly expiresAt: string }
  /** The client gets its tokens from AWS; the settings say how. */
  | { readonly kind: 'workload' }
  /** Goes where a `jwt` goes, but only AWS reads it. */
  | { readonly kind: 'msk-iam'; readonly token: string; readonly expiresAt: string }
  | {
      readonly kind: 'scram'
      readonly mechanism: (typeof storedMechanisms)['scram']
      readonly username: string
      readonly password: string
      /** Tells the client when it has to be made anew: another slot is another Kafka user. */
      readonly slot: SlotName
    }
  /** Of Confluent Cloud: `username` is the key and `password` its secret. */
  | {
      readonly kind: 'api-key'
      readonly mechanism: (typeof storedMechanisms)['api-key']
      readonly username: string
      readonly password: string
      readonly slot: SlotName
    }
  /** The password is in this version of the secret, below the name of the slot unless the secret is that of one user. */
  | {
      readonly kind: 'reference'
      readonly mechanism: (typeof storedMechanisms)['scram']
      readonly arn: string
      readonly versionId: string
      readonly username: string
      readonly slot: SlotName
    }
  /** Key and secret are in this version, as `apiKey` and `apiSecret`. */
  | {
      readonly kind: 'reference'
      readonly mechanism: (typeof storedMechanisms)['api-key']
      readonly arn: string
      readonly versionId: string
      readonly slot: SlotName
    }

/** One cluster of an answer. */
export type Connection = ConnectionSettings & {
  readonly credential: AnswerCredential
  readonly schemaRegistry?: RegistrySettings & { readonly credential: RegistryCredential }
}

/** The body of `200` on `POST /v1/resolve`. Times are RFC 3339 in UTC. */
export type ResolveAnswer = {
  readonly lease: { readonly id: string; readonly refreshAfter: string; readonly expiresAt: string }
  readonly connections: readonly Connection[]
  readonly directory: string
}

const renderPatterns = (admissions: readonly Admission[]): Pick<ConnectionSettings, 'patterns'> => {
  const expressions = new Map<string, string[]>()
  for (const admission of admissions) {
    if (admission.kind !== 'pattern') continue
    const list = expressions.get(admission.asked) ?? []
    expressions.set(admission.asked, list)
    if (!list.includes(admission.expression)) list.push(admission.expression)
  }
  if (expressions.size === 0) return {}
  return {
    patterns: Object.fromEntries([...expressions].map(([asked, list]) => [asked, anchoredExpression(list)])),
  }
}

/** Of whom the cluster is and who the token is there: without them Confluent Cloud lets nobody in. */
const renderExtensions = (
  { cluster, path }: ConnectionDecision,
  principal: Principal,
): Pick<ConnectionSettings, 'extensions'> => {
  const pools = identityPoolsOf(cluster, principal.name)
  if (cluster.provider !== 'confluent' || path.kind !== 'jwt' || pools === undefined) return {}
  return { extensions: { logicalCluster: cluster.id, identityPoolId: pools.join(',') } }
}

const tokensOfAws = 'sasl.oauthbearer.metadata.authentication.type'

/** Whether a client of these settings gets its tokens by itself, without anything of ours. */
export const hasTokensOfAws = ({ properties }: Pick<ConnectionSettings, 'properties'>): boolean =>
  Object.hasOwn(properties, tokensOfAws)

/**
 * In librdkafka's words, for no other client takes them. The values have no `,`.
 * @see https://docs.confluent.io/platform/current/security/authentication/sasl/oauthbearer/aws-iam-python-plugin.html
 */
const renderWorkload = (
  { cluster, path }: ConnectionDecision,
  principal: Principal,
): ConnectionSettings['properties'] => {
  if (cluster.provider !== 'confluent' || cluster.workload === undefined || path.kind !== 'workload') return {}
  const { audience, region } = cluster.workload
  const pools = identityPoolsOf(cluster, principal.name) ?? []
  return {
    'sasl.oauthbearer.method': 'oidc',
    [tokensOfAws]: 'aws_iam',
    'sasl.oauthbearer.config': `region=${region},audience=${audience}`,
    'sasl.oauthbearer.extensions': `logicalCluster=${cluster.id},identityPoolId=${pools.join(',')}`,
  }
}

const renderRegistry = (
  { cluster, schemas }: ConnectionDecision,
  principal: Principal,
): Pick<ConnectionSettings, 'schemaRegistry'> => {
  if (schemas === undefined) return {}
  const { registry } = schemas
  if (registry.kind !== 'jwt') return { schemaRegistry: { url: registry.url } }
  const pools = identityPoolsOf(cluster, principal.name) ?? []
  return { schemaRegistry: { url: registry.url, logicalCluster: registry.id, identityPoolId: pools.join(',') } }
}

export const renderConnection = (
  connection: ConnectionDecision,
  principal: Principal,
  intent: Intent,
): ConnectionSettings => {
  const { cluster, path, admissions, profiles, group } = connection
  return {
    cluster: { name: cluster.name, provider: cluster.provider },
    topics: Object.fromEntries(
      admissions.flatMap((admission) => (admission.kind === 'channel' ? [[admission.asked, admission.topic]] : [])),
    ),
    ...renderPatterns(admissions),
    properties: {
      'bootstrap.servers': path.listener.bootstrap,
      'security.protocol': path.listener.security,
      'sasl.mechanism': isStored(path.kind) ? storedMechanisms[path.kind] : 'OAUTHBEARER',
      'client.id': intent.client.instance ?? principal.name,
      ...(path.listener.security === 'SASL_SSL' && cluster.ca !== undefined
        ? { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': cluster.ca }
        : {}),
      ...renderWorkload(connection, principal),
    },
    ...renderExtensions(connection, principal),
    ...(profiles.producer === undefined ? {} : { producer: profiles.producer.properties }),
    ...(profiles.consumer === undefined
      ? {}
      : { consumer: { ...profiles.consumer.properties, ...(group === undefined ? {} : { 'group.id': group }) } }),
    ...renderRegistry(connection, principal),
  }
}
