import { type ConfluentCluster, clusterAudience } from './cluster.ts'
import { kafkaUser } from './principal.ts'

/** An identity pool as Confluent Cloud has it: the tokens of one principal for one cluster, and no others. */
export type IdentityPool = {
  /** By which it is found again; one per cluster and principal. */
  readonly displayName: string
  /** In Common Expression Language, over the claims of a token whose signature and issuer are right. */
  readonly filter: string
  /** What Confluent's audit log calls whoever logged in. */
  readonly identityClaim: string
}

/** A string of Common Expression Language is written as one of JSON. */
const celEquals = (claim: string, value: string): string => `claims.${claim} == ${JSON.stringify(value)}`

/**
 * The issuer may be trusted by several organisations, and a pool by its name alone would take tokens of other clusters: so
 * both the audience and the subject are asked for.
 * @see https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/identity-providers/oauth/best-practices.html
 */
export const identityPoolFor = (
  cluster: ConfluentCluster,
  principal: string,
  { issuerUrl, kafkaUserPrefix }: { readonly issuerUrl: string; readonly kafkaUserPrefix: string },
): IdentityPool => {
  const user = kafkaUser(kafkaUserPrefix, principal)
  return {
    displayName: `${cluster.name}/${user}`,
    filter: `${celEquals('aud', clusterAudience(cluster, issuerUrl))} && ${celEquals('sub', user)}`,
    identityClaim: 'claims.sub',
  }
}
