import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { type ScramMechanism, saltPassword } from './scram-password.ts'

export type ScramUser = { readonly name: string; readonly password: string }

/** What Kafka keeps of a user; with a new salt each time it is asked for. */
export type HashedUser = {
  readonly name: string
  readonly iterations: number
  readonly salt: Buffer
  readonly saltedPassword: Buffer
}

/** Kafka's minimum; hashing it takes 1.6 ms a user, which is what a mass rotation waits for on Kafka's side. */
const iterations = 4_096
const saltBytes = 32

const hashUser = async (mechanism: ScramMechanism, { name, password }: ScramUser): Promise<HashedUser> => {
  const salt = randomBytes(saltBytes)
  return { name, iterations, salt, saltedPassword: await saltPassword(mechanism, password, salt, iterations) }
}

/** In their order. One more at once than there are cores: none idles, and whatever else needs the thread pool (look-ups, files) gets its turn. */
export const hashUsers = async (
  mechanism: ScramMechanism,
  users: readonly ScramUser[],
): Promise<readonly HashedUser[]> => {
  const hashed: HashedUser[] = []
  const rest = users.entries()
  const worker = async () => {
    for (const [at, user] of rest) hashed[at] = await hashUser(mechanism, user)
  }
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker))
  return hashed
}
