import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

const hashes = {
  'SCRAM-SHA-256': { digest: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { digest: 'sha512', bytes: 64 },
} as const satisfies Record<ScramMechanism, { digest: string; bytes: number }>

const hash = promisify(pbkdf2)

/**
 * The `SaltedPassword` of RFC 5802 section 3, hashed on the thread pool. Like Kafka and its clients, and unlike the RFC,
 * it takes the password's UTF-8 as it is, without SASLprep: a prepared password would be one that no client can show.
 */
export const saltPassword = (
  mechanism: ScramMechanism,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer> => hash(password, salt, iterations, hashes[mechanism].bytes, hashes[mechanism].digest)
