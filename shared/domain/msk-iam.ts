/** Where AWS checks tokens of an MSK cluster. */
export type MskPlace = { readonly partition: string; readonly region: string; readonly account: string }

/** Of the ARN of a cluster that a policy has. */
export const mskPlaceOf = (arn: string): MskPlace => {
  const [, partition = '', , region = '', account = ''] = arn.split(':')
  return { partition, region, account }
}

/** Which partition a region is in; the names of regions say so. */
export const partitionOf = (region: string): string => {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

/** MSK has no longer-lived token. */
export const maximumMskTokenSeconds = 900

/** The role that a principal is on a cluster. */
export const principalRole = (template: string, principal: string): string =>
  template.replaceAll('{principal}', principal)

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length */
export const maximumRoleName = 64

/** Of an ARN, without the path that it may have before it. */
export const roleNameOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1)

/**
 * What a principal's sessions are called. To MSK it is a part of the Kafka principal, which no connection may change, so
 * it is the same each time; and as no principal has an `@`, it is the session of no other. AWS wants two characters.
 */
export const sessionName = (principal: string): string => (principal.length > 1 ? principal : `${principal}@`)
