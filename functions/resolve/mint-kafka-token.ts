import { randomUUID } from 'node:crypto'
import { type Cluster, clusterAudience } from '../../shared/domain/cluster.ts'
import { kafkaUser } from '../../shared/domain/principal.ts'
import { signKafkaToken } from '../../shared/secrets/kafka-token.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'

export type KafkaTokenParts = {
  readonly issuerUrl: string
  readonly kafkaUserPrefix: string
  readonly principal: string
  readonly cluster: Cluster
  readonly lease: string
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** A date as RFC 7519 has it, whole seconds: a token never ends after its lease. */
export const numericDate = (date: Date): number => Math.floor(date.getTime() / 1000)

/** What a principal logs in to one cluster with until its lease ends. */
export const mintKafkaToken = (key: SigningKeys['active'], parts: KafkaTokenParts): string =>
  signKafkaToken(key, {
    iss: parts.issuerUrl,
    sub: kafkaUser(parts.kafkaUserPrefix, parts.principal),
    aud: clusterAudience(parts.cluster, parts.issuerUrl),
    iat: numericDate(parts.issuedAt),
    exp: numericDate(parts.expiresAt),
    jti: randomUUID(),
    lease: parts.lease,
  })
