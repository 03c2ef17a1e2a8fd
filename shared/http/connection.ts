import type { Admission, ConnectionDecision } from '../domain/decide.ts'
import type { Intent } from '../domain/intent.ts'
import type { Principal } from '../domain/principal.ts'
import type { PropertyValue } from '../domain/profile.ts'
import type { SlotName } from '../domain/rotation.ts'
import { anchoredExpression } from '../domain/topic.ts'

export const scramMechanism = 'SCRAM-SHA-512'

/** What one cluster's part of an answer says without its credential; Kafka's own names, no secret. */
export type ConnectionSettings = {
  readonly cluster: { readonly name: string; readonly provider: string }
  readonly topics: Readonly<Record<string, string>>
  /** Asked pattern -> anchored regular expression over topics. */
  readonly patterns?: Readonly<Record<string, string>>
  readonly properties: Readonly<Record<string, PropertyValue>>
  readonly producer?: Readonly<Record<string, PropertyValue>>
  readonly consumer?: Readonly<Record<string, PropertyValue>>
}

/** A token ends; a stored credential works for as long as a lease names its slot. */
export type AnswerCredential =
  | { readonly kind: 'jwt'; readonly token: string; readonly expiresAt: string }
  | {
      readonly kind: 'scram'
      readonly mechanism: typeof scramMechanism
      readonly username: string
      readonly password: string
      /** Tells the client when it has to be made anew: another slot is another Kafka user. */
      readonly slot: SlotName
    }
  /** The password is in this version of the secret, below the name of the slot unless the secret is that of one user. */
  | {
      readonly kind: 'reference'
      readonly mechanism: typeof scramMechanism
      readonly arn: string
      readonly versionId: string
      readonly username: string
      readonly slot: SlotName
    }

/** One cluster of an answer. */
export type Connection = ConnectionSettings & { readonly credential: AnswerCredential }

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

export const renderConnection = (
  { cluster, path, admissions, profiles, group }: ConnectionDecision,
  principal: Principal,
  intent: Intent,
): ConnectionSettings => ({
  cluster: { name: cluster.name, provider: cluster.provider },
  topics: Object.fromEntries(
    admissions.flatMap((admission) => (admission.kind === 'channel' ? [[admission.asked, admission.topic]] : [])),
  ),
  ...renderPatterns(admissions),
  properties: {
    'bootstrap.servers': path.listener.bootstrap,
    'security.protocol': path.listener.security,
    'sasl.mechanism': path.kind === 'scram' ? scramMechanism : 'OAUTHBEARER',
    'client.id': intent.client.instance ?? principal.name,
    ...(path.listener.security === 'SASL_SSL' && cluster.ca !== undefined
      ? { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': cluster.ca }
      : {}),
  },
  ...(profiles.producer === undefined ? {} : { producer: profiles.producer.properties }),
  ...(profiles.consumer === undefined
    ? {}
    : { consumer: { ...profiles.consumer.properties, ...(group === undefined ? {} : { 'group.id': group }) } }),
})
