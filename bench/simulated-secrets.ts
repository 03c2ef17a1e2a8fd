import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'

/** What an answer of the real one takes, about. */
const answerMs = 20
const writes: readonly string[] = [
  'CreateSecretCommand',
  'PutSecretValueCommand',
  'DeleteSecretCommand',
  'RestoreSecretCommand',
]

type Input = {
  readonly SecretId?: string
  readonly Name?: string
  readonly SecretString?: string
  readonly ClientRequestToken?: string
}

export type SimulatedSecrets = {
  readonly client: SecretsManagerClient
  /** Name of a secret -> requests that changed it. */
  readonly writes: ReadonlyMap<string, number>
  readonly reads: () => number
  readonly put: (name: string, text: string) => void
}

/** As much of Secrets Manager as a rotation asks of it, in this process: it keeps what is written, and counts. */
export const createSimulatedSecrets = (): SimulatedSecrets => {
  const secrets = new Map<string, { readonly SecretString: string; readonly VersionId: string }>()
  const written = new Map<string, number>()
  let reads = 0
  const metadata = { $metadata: {}, message: 'simulated' }
  const send = async (command: { readonly input: Input; readonly constructor: { readonly name: string } }) => {
    await delay(answerMs)
    const { SecretId = '', Name = SecretId, SecretString = '', ClientRequestToken = randomUUID() } = command.input
    const operation = command.constructor.name
    if (writes.includes(operation)) written.set(Name, (written.get(Name) ?? 0) + 1)
    else reads += 1
    const found = secrets.get(Name)
    if (operation === 'CreateSecretCommand') {
      if (found !== undefined) throw new ResourceExistsException(metadata)
    } else if (found === undefined) throw new ResourceNotFoundException(metadata)
    if (operation === 'GetSecretValueCommand') return found
    if (operation === 'DeleteSecretCommand') secrets.delete(Name)
    else secrets.set(Name, { SecretString, VersionId: ClientRequestToken })
    return {}
  }
  return {
    client: { send } as unknown as SecretsManagerClient,
    writes: written,
    reads: () => reads,
    put: (name, SecretString) => void secrets.set(name, { SecretString, VersionId: randomUUID() }),
  }
}
