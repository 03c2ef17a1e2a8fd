import type { UnprocessedScramSecret } from '@aws-sdk/client-kafka'
import type { ScramAdmin } from '../../shared/clusters/kafka/scram-admin.ts'
import type { GeneratedCluster } from './clusters.ts'
import { MskError } from './errors.ts'
import type { StrikingFaults } from './faults.ts'
import { type SecretReader, type SecretValue, secretPrefix } from './secret-reader.ts'

/** How long a change takes to reach the brokers: anything between the two. */
export type Propagation = { readonly minMs: number; readonly maxMs: number }

/** The SCRAM users of one cluster, each from one secret. */
export type ScramSecrets = {
  readonly associate: (secretArns: readonly string[]) => Promise<UnprocessedScramSecret[]>
  readonly disassociate: (secretArns: readonly string[]) => UnprocessedScramSecret[]
  readonly list: () => readonly string[]
  readonly stop: () => Promise<void>
}

export type ScramSecretsOptions = {
  readonly region: string
  readonly accountId: string
  /** Asked at each change. */
  readonly propagation: () => Propagation
  readonly maxUsers: number
  readonly secrets: SecretReader
  readonly kafka: Pick<ScramAdmin, 'upsert' | 'remove'>
  /** Users that belong to the cluster itself; a secret with such a name is refused. */
  readonly reservedUsers: readonly string[]
  readonly faults: StrikingFaults
  /** Is told what went wrong while nobody waits; holds no secret. */
  readonly report: (line: string) => void
}

/**
 * What is associated and what the brokers know of it. `dueAt`: when the brokers will have read the secret again;
 * undefined while they know its current version.
 */
type Association = {
  readonly secretArn: string
  username: string
  known: { readonly username: string; readonly versionId: string } | undefined
  dueAt: number | undefined
}

const retryMs = 500
const stepMs = 20

const secretArnForm = /^arn:aws[\w-]*:secretsmanager:([\w-]+):(\d{12}):secret:(.+)$/

// `InvalidSecretArn` is the one code that has been seen in the wild; its texts tell the cases apart.
const messages = {
  prefix: `The provided secret arn cannot be used with Amazon MSK. Secret names must have the prefix '${secretPrefix}'.`,
  unreadable: "Amazon MSK wasn't able to access the provided secret.",
  grant: 'You are not authorized to invoke the CreateGrant operation on the KMS key.',
  // these texts are ours
  arn: 'The provided value is not the arn of a secret.',
  place: 'The secret must be in the same account and region as the cluster.',
  defaultKey: 'A secret that is encrypted with the default AWS KMS key cannot be used with Amazon MSK.',
  content: 'The secret value must be JSON with a username and a password.',
  reserved: 'The username of the secret is reserved.',
  limit: 'The cluster has reached its limit of SCRAM users.',
  notAssociated: 'The provided secret is not associated with the cluster.',
}

const unprocessed = (
  secretArn: string,
  reason: keyof typeof messages,
  errorCode = 'InvalidSecretArn',
): UnprocessedScramSecret => ({ SecretArn: secretArn, ErrorCode: errorCode, ErrorMessage: messages[reason] })

/**
 * Keeps the SCRAM users of a real Kafka cluster as MSK keeps those of its own: late, by asking Secrets Manager again
 * and again, and without touching connections that are open. Users that no secret named are never touched. Unlike on
 * MSK, users that others make through the Kafka protocol can log in.
 */
export const createScramSecrets = ({
  region,
  accountId,
  propagation,
  maxUsers,
  secrets,
  kafka,
  reservedUsers,
  faults,
  report,
}: ScramSecretsOptions): ScramSecrets => {
  const associations = new Map<string, Association>()
  /** Users that brokers know and no secret names any more, and when they forget them. */
  const leaving = new Map<string, number>()
  // Looking costs time too: what was seen late must still arrive within the bound.
  const lookMs = (): number => Math.min(5_000, Math.max(20, propagation().maxMs / 10))
  const arrivalAt = (): number => {
    const { minMs, maxMs } = propagation()
    return Date.now() + minMs + Math.random() * Math.max(0, maxMs - minMs - lookMs())
  }

  const isNamed = (username: string): boolean =>
    [...associations.values()].some((each) => each.username === username || each.known?.username === username)

  const forget = (username: string): void => {
    leaving.set(username, arrivalAt())
  }

  /** The brokers learn what the secrets hold now. */
  const applyDue = async (): Promise<void> => {
    const due = [...associations.values()].filter(({ dueAt }) => dueAt !== undefined && dueAt <= Date.now())
    const read = new Map<string, { readonly association: Association; readonly value: SecretValue }>()
    const readOne = async (association: Association) => {
      association.dueAt = Date.now() + retryMs
      const value = await secrets.read(association.secretArn)
      if (value === undefined) report(`cannot read \`${association.secretArn}\``)
      // two secrets that name one user take turns; nothing says what MSK does with them
      else if (!reservedUsers.includes(value.username)) read.set(value.username, { association, value })
    }
    await Promise.all(due.map(readOne))
    if (read.size === 0) return
    const users = [...read.values()].map(({ value }) => ({ name: value.username, password: value.password }))
    const outcomes = await kafka.upsert(users)
    for (const [username, { association, value }] of read) {
      const outcome = outcomes.get(username)
      if (outcome?.done !== true) {
        report(outcome?.error.message ?? `no answer about \`${username}\``)
        continue
      }
      const before = association.known?.username
      association.username = username
      association.known = { username, versionId: value.versionId }
      association.dueAt = undefined
      leaving.delete(username)
      if (before !== undefined && before !== username) forget(before)
      // it was taken away while the brokers were learning it
      if (associations.get(association.secretArn) !== association) forget(username)
    }
  }

  const removeDue = async (): Promise<void> => {
    const due = [...leaving].filter(([, at]) => at <= Date.now()).map(([username]) => username)
    const gone = due.filter((username) => !isNamed(username))
    for (const username of due) leaving.delete(username)
    if (gone.length === 0) return
    const outcomes = await kafka.remove(gone)
    for (const username of gone) {
      const outcome = outcomes.get(username)
      if (outcome?.done === true) continue
      report(outcome?.error.message ?? `no answer about \`${username}\``)
      leaving.set(username, Date.now() + retryMs)
    }
  }

  const look = async (): Promise<void> => {
    const settled = [...associations.values()].filter(({ dueAt }) => dueAt === undefined)
    if (settled.length === 0) return
    const versions = await secrets.currentVersions()
    for (const association of settled) {
      const current = versions.get(association.secretArn)
      // what a deleted secret leaves behind is not documented: the user stays until it is disassociated
      if (current !== undefined && current !== association.known?.versionId && association.dueAt === undefined) {
        association.dueAt = arrivalAt()
      }
    }
  }

  let stopped = false
  let lookedAt = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const begin = (): void => {
    running = step()
  }
  const step = async (): Promise<void> => {
    if (faults.strike('sync-stalled') === undefined) {
      try {
        await applyDue()
        await removeDue()
        if (Date.now() - lookedAt >= lookMs()) {
          lookedAt = Date.now()
          await look()
        }
      } catch (error) {
        report(`the users are not in step with their secrets: ${error instanceof Error ? error.message : 'failed'}`)
      }
    }
    if (!stopped) timer = setTimeout(begin, stepMs)
  }
  timer = setTimeout(begin, 0)

  const check = async (secretArn: string): Promise<UnprocessedScramSecret | { readonly username: string }> => {
    const [, itsRegion, itsAccount, name = ''] = secretArnForm.exec(secretArn) ?? []
    if (itsRegion === undefined) return unprocessed(secretArn, 'arn')
    if (itsRegion !== region || itsAccount !== accountId) return unprocessed(secretArn, 'place')
    if (!name.startsWith(secretPrefix)) return unprocessed(secretArn, 'prefix')
    if (faults.strikeEach('secret-not-yet-visible', secretArn)) return unprocessed(secretArn, 'unreadable')
    const found = await secrets.describe(secretArn)
    if (found === undefined) return unprocessed(secretArn, 'unreadable')
    // an alias is no key that MSK takes, and the default key has no other name here
    if (found.kmsKeyId === undefined || /(^|:)alias\//.test(found.kmsKeyId)) return unprocessed(secretArn, 'defaultKey')
    if (faults.strike('kms-access-denied') !== undefined) return unprocessed(secretArn, 'grant')
    const value = await secrets.read(secretArn)
    if (value === undefined) return unprocessed(secretArn, 'content')
    if (reservedUsers.includes(value.username)) return unprocessed(secretArn, 'reserved')
    return value
  }

  return {
    associate: async (secretArns) => {
      const refused: UnprocessedScramSecret[] = []
      for (const secretArn of new Set(secretArns)) {
        // AWS does not say what a second association answers; this one changes nothing and succeeds
        if (associations.has(secretArn)) continue
        const checked = await check(secretArn)
        if (!('username' in checked)) {
          refused.push(checked)
          continue
        }
        await secrets.allowCluster(secretArn)
        // counted after everything that waits, so that two calls at once do not both get the last place
        if (associations.size >= maxUsers) refused.push(unprocessed(secretArn, 'limit', 'LimitExceeded'))
        else
          associations.set(secretArn, {
            secretArn,
            username: checked.username,
            known: undefined,
            dueAt: arrivalAt(),
          })
      }
      return refused
    },
    disassociate: (secretArns) =>
      [...new Set(secretArns)].flatMap((secretArn) => {
        const association = associations.get(secretArn)
        if (association === undefined) return [unprocessed(secretArn, 'notAssociated')]
        associations.delete(secretArn)
        if (association.known !== undefined) forget(association.known.username)
        return []
      }),
    list: () => [...associations.keys()],
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}

/** Of a cluster without brokers: its associations are there to be listed, and nobody can change them. */
export const generatedScramSecrets = ({ name, secretArns }: GeneratedCluster): ScramSecrets => {
  const refuse = (): never => {
    throw new MskError('BadRequestException', `The cluster ${name} is generated: it has no brokers that learn users.`)
  }
  return { associate: async () => refuse(), disassociate: refuse, list: () => secretArns, stop: async () => {} }
}
