import {
  BatchAssociateScramSecretCommand,
  BatchDisassociateScramSecretCommand,
  type KafkaClient,
  paginateListScramSecrets,
  type UnprocessedScramSecret,
} from '@aws-sdk/client-kafka'
import type { FailureReason } from '../../domain/failure-reason.ts'
import { mskSecretName, secretNameOfArn } from '../../domain/msk-secret-name.ts'
import type { SlotPlace } from '../../domain/slot-place.ts'
import type { BackendOutcome, CredentialBackend, Name } from '../credential-backend.ts'
import { reasonOfError, reasonOfUnprocessed } from './reasons.ts'

export type MskScramBackendDeps = {
  readonly kafka: KafkaClient
  readonly clusterArn: string
  readonly stack: string
  /** The slot that a Kafka user is of; undefined for one that is not ours. */
  readonly slotOf: (user: string) => SlotPlace | undefined
  /** The ARN that the slot's secret has now; undefined when it is not there. */
  readonly secretArnOf: (slot: SlotPlace) => Promise<string | undefined>
  /** MSK has no word for a login: it is tried on the brokers, where they can be reached. */
  readonly verify: CredentialBackend['verify']
  /** SCRAM users of one cluster, all stacks and people together. @default 1_000 */
  readonly maximumUsers?: number
}

/** What MSK takes in one call. */
const secretsPerCall = 10
const parallelLooks = 10

type Failed = Extract<BackendOutcome<never>, { readonly outcome: 'failed' }>
type Outcomes = Map<string, BackendOutcome<'done'>>

class MskScramError extends Error {
  override name = 'MskScramError'
}

const failed = (reason: FailureReason, error: unknown): Failed => ({ outcome: 'failed', reason, error })

const batchesOf = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / secretsPerCall) }, (_, at) =>
    list.slice(at * secretsPerCall, (at + 1) * secretsPerCall),
  )

/** A user, and a secret of it that is, or is to be, associated. */
type UserSecret = { readonly user: string; readonly arn: string }

/**
 * The users of an MSK cluster: each is a secret of ours that is associated with it. What is associated is changed one by
 * one and never as a whole, so that secrets of others stay.
 *
 * @see https://docs.aws.amazon.com/msk/1.0/apireference/clusters-clusterarn-scram-secrets.html
 */
export const createMskScramBackend = ({
  kafka,
  clusterArn,
  stack,
  slotOf,
  secretArnOf,
  verify,
  maximumUsers = 1_000,
}: MskScramBackendDeps): CredentialBackend => {
  const associated = async (): Promise<ReadonlySet<string>> => {
    const arns = new Set<string>()
    for await (const { SecretArnList = [] } of paginateListScramSecrets({ client: kafka }, { ClusterArn: clusterArn }))
      for (const arn of SecretArnList) arns.add(arn)
    return arns
  }

  const nameOf = (user: string): string | undefined => {
    const slot = slotOf(user)
    return slot && mskSecretName(stack, slot)
  }

  /** Fails all of them when the call that all depend on does. */
  const forAll = async <T extends string>(
    users: readonly string[],
    work: () => Promise<ReadonlyMap<string, BackendOutcome<T>>>,
  ): Promise<ReadonlyMap<string, BackendOutcome<T>>> => {
    try {
      return await work()
    } catch (error) {
      return new Map(users.map((user) => [user, failed(reasonOfError(error), error)]))
    }
  }

  type Change = (SecretArnList: string[]) => Promise<readonly UnprocessedScramSecret[]>

  /** @param isDone whether a secret that MSK did not process is, after all, as it was to be */
  const inBatches = async (
    entries: readonly UserSecret[],
    change: Change,
    isDone: (arn: string, now: ReadonlySet<string>) => boolean,
  ): Promise<Outcomes> => {
    const outcomes: Outcomes = new Map()
    const put = (user: string, outcome: BackendOutcome<'done'>): void => {
      // of the several secrets that a user can have had one is enough to fail it
      if (outcomes.get(user)?.outcome !== 'failed') outcomes.set(user, outcome)
    }
    for (const batch of batchesOf(entries)) {
      const refused = new Map<string, UnprocessedScramSecret>()
      try {
        for (const each of await change(batch.map(({ arn }) => arn))) refused.set(each.SecretArn ?? '', each)
        const now: ReadonlySet<string> = refused.size === 0 ? new Set() : await associated()
        for (const { user, arn } of batch) {
          const unprocessed = refused.get(arn)
          if (unprocessed === undefined || isDone(arn, now)) put(user, { outcome: 'done' })
          else {
            const { ErrorCode = 'unknown', ErrorMessage = '' } = unprocessed
            const error = new MskScramError(
              `MSK did not process the secret of \`${user}\`: ${ErrorCode}: ${ErrorMessage}`,
            )
            put(user, failed(reasonOfUnprocessed(unprocessed), error))
          }
        }
      } catch (error) {
        for (const { user } of batch) put(user, failed(reasonOfError(error), error))
      }
    }
    return outcomes
  }

  const associate: Change = async (SecretArnList) => {
    const input = { ClusterArn: clusterArn, SecretArnList }
    return (await kafka.send(new BatchAssociateScramSecretCommand(input))).UnprocessedScramSecrets ?? []
  }

  const disassociate: Change = async (SecretArnList) => {
    const input = { ClusterArn: clusterArn, SecretArnList }
    return (await kafka.send(new BatchDisassociateScramSecretCommand(input))).UnprocessedScramSecrets ?? []
  }

  const full = (user: string, count: number): Failed =>
    failed(
      'cluster_full',
      new MskScramError(`there is no room for \`${user}\`: the cluster has ${count} SCRAM users of ${maximumUsers}`),
    )

  /** The ARN of each user's secret, or why it has none. */
  const findSecrets = async (users: readonly string[], outcomes: Outcomes): Promise<readonly UserSecret[]> => {
    const found: UserSecret[] = []
    const rest = users.values()
    const look = async (): Promise<void> => {
      for (const user of rest) {
        const slot = slotOf(user)
        try {
          const arn = slot && (await secretArnOf(slot))
          if (arn !== undefined) found.push({ user, arn })
          else outcomes.set(user, failed('secret_unseen', new MskScramError(`\`${user}\` has no secret`)))
        } catch (error) {
          outcomes.set(user, failed('secret_unavailable', error))
        }
      }
    }
    await Promise.all(Array.from({ length: parallelLooks }, look))
    return found
  }

  return {
    look: (names) =>
      forAll(names, async () => {
        const arns = await associated()
        const taken = new Set([...arns].map(secretNameOfArn))
        let count = arns.size
        return new Map(
          names.map((user): [string, BackendOutcome<Name>] => {
            if (taken.has(nameOf(user))) return [user, { outcome: 'taken' }]
            if (count >= maximumUsers) return [user, full(user, count)]
            count++
            return [user, { outcome: 'free' }]
          }),
        )
      }),

    create: (users) => {
      const names = users.map(({ name }) => name)
      return forAll(names, async () => {
        const outcomes: Outcomes = new Map()
        const secrets = await findSecrets(names, outcomes)
        if (secrets.length === 0) return outcomes
        const there = await associated()
        for (const { user, arn } of secrets) if (there.has(arn)) outcomes.set(user, { outcome: 'done' })
        const missing = secrets.filter(({ arn }) => !there.has(arn))
        const made = await inBatches(missing, associate, (arn, now) => now.has(arn))
        return new Map([...outcomes, ...made])
      })
    },

    verify,

    revoke: (names) =>
      forAll(names, async () => {
        const users = new Map(
          names.flatMap((user): (readonly [string, string])[] => {
            const name = nameOf(user)
            return name === undefined ? [] : [[name, user]]
          }),
        )
        // a secret that was destroyed and made anew has another ARN: whatever has the name is ours
        const theirs = [...(await associated())].flatMap((arn): readonly UserSecret[] => {
          const user = users.get(secretNameOfArn(arn) ?? '')
          return user === undefined ? [] : [{ user, arn }]
        })
        const gone = await inBatches(theirs, disassociate, (arn, now) => !now.has(arn))
        return new Map(names.map((user) => [user, gone.get(user) ?? { outcome: 'done' }]))
      }),

    close: async () => {},
  }
}
