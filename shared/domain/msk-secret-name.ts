import type { SlotPlace } from './slot-place.ts'

/**
 * MSK takes secrets whose names begin with `AmazonMSK_` only; the rest of the start is what a stack calls its own. Names
 * of stacks and clusters have no `_`, so no two stacks, clusters or principals share a secret, and none of their starts is
 * that of another.
 */
export const mskSecretPrefix = (stack: string): string => `AmazonMSK_switchboard_${stack}_`

/** The end keeps that of a principal's name from being read as the hyphen and six characters that end a secret's ARN. */
export const mskSecretName = (stack: string, { cluster, principal, slot }: SlotPlace): string =>
  `${mskSecretPrefix(stack)}${cluster}_${principal}_slot_${slot}`

/** The name in the ARN of a secret; undefined for what is none. */
export const secretNameOfArn = (arn: string): string | undefined =>
  /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:(.+)-[A-Za-z0-9]{6}$/.exec(arn)?.[1]
