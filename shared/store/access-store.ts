import { type DynamoDBDocumentClient, GetCommand, paginateQuery, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { type Acl, aclFromKey, aclKey } from '../domain/access.ts'
import { isUnlimited, type Quota } from '../domain/quota.ts'
import { conditionHolds } from './conditional-write.ts'

/** What a principal has on a cluster, as far as rotate has put it there and seen it. */
export type AppliedAccess = {
  readonly cluster: string
  readonly principal: string
  /** The labels it was last seen with; named principals that were never seen have none. */
  readonly labels: Readonly<Record<string, string>>
  readonly acls: readonly Acl[]
  /** The client quota that its Kafka users have there; undefined: none. */
  readonly quota?: Quota | undefined
  /** Content addresses of the policies whose access is covered by `acls`. */
  readonly policies: readonly string[]
  /** When rotate last put it there; undefined before the first time. */
  readonly appliedAt?: Date | undefined
  /** The last request that sent a message, if it said what for. */
  readonly asked?: AccessRequest | undefined
  /** Whether rotate saw that request before it looked which topics there are. */
  readonly answered?: boolean | undefined
}

/** `need` is a digest of what was needed; `at` tells this request from others. */
export type AccessRequest = { readonly need: string; readonly at: Date }

export type AccessStore = {
  readonly read: (cluster: string, principal: string) => Promise<AppliedAccess | undefined>
  readonly list: (cluster: string) => Promise<readonly AppliedAccess[]>
  /**
   * Notes that a principal needs access here. Answers whether a message should be sent: true at most once every
   * 10 s for the same labels, so that retrying clients do not fill the queue.
   * @param need digest of what is needed, kept when a message should be sent
   */
  readonly request: (
    cluster: string,
    principal: string,
    labels: Readonly<Record<string, string>>,
    now: Date,
    need?: string,
  ) => Promise<boolean>
  /**
   * False, and nothing was written, when who was there last began later.
   * @param startedAt when this one began to look what is wanted
   * `answers`: the request that was there before the topics were listed.
   */
  readonly recordApplied: (
    applied: Omit<AppliedAccess, 'labels' | 'appliedAt' | 'asked' | 'answered'> & {
      readonly answers?: AccessRequest | undefined
    },
    startedAt: Date,
  ) => Promise<boolean>
}

const requestEveryMs = 10_000

const accessFromItem = (item: Record<string, unknown>): AppliedAccess => ({
  cluster: String(item.cluster),
  principal: String(item.principal),
  labels: (item.labels ?? {}) as Record<string, string>,
  acls: ((item.acls ?? []) as string[]).flatMap((key) => aclFromKey(key) ?? []),
  policies: (item.policies ?? []) as string[],
  ...(item.quota !== undefined && { quota: item.quota as Quota }),
  ...(typeof item.appliedAt === 'string' && { appliedAt: new Date(item.appliedAt) }),
  ...(typeof item.requestedFor === 'string' && {
    asked: { need: item.requestedFor, at: new Date(String(item.requestedAt)) },
    answered: item.answeredAt === item.requestedAt,
  }),
})

export const createAccessStore = (dynamo: DynamoDBDocumentClient, table: string): AccessStore => ({
  read: async (cluster, principal) => {
    const { Item } = await dynamo.send(
      new GetCommand({ TableName: table, Key: { cluster, principal }, ConsistentRead: true }),
    )
    return Item === undefined ? undefined : accessFromItem(Item)
  },

  list: async (cluster) => {
    const found: AppliedAccess[] = []
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        KeyConditionExpression: '#cluster = :cluster',
        ExpressionAttributeNames: { '#cluster': 'cluster' },
        ExpressionAttributeValues: { ':cluster': cluster },
        ConsistentRead: true,
      },
    )
    for await (const page of pages) found.push(...(page.Items ?? []).map(accessFromItem))
    return found
  },

  request: async (cluster, principal, labels, now, need) => {
    const neverAsked = 'attribute_not_exists(requestedAt)'
    const askedLongAgo = 'requestedAt <= :before'
    const otherLabels = 'labels <> :labels'
    return conditionHolds(
      dynamo.send(
        new UpdateCommand({
          TableName: table,
          Key: { cluster, principal },
          UpdateExpression: `SET labels = :labels, requestedAt = :now ${need === undefined ? 'REMOVE requestedFor' : ', requestedFor = :need'}`,
          ConditionExpression: `${neverAsked} OR ${askedLongAgo} OR ${otherLabels}`,
          ExpressionAttributeValues: {
            ':labels': labels,
            ...(need !== undefined && { ':need': need }),
            ':now': now.toISOString(),
            ':before': new Date(now.getTime() - requestEveryMs).toISOString(),
          },
        }),
      ),
    )
  },

  recordApplied: async ({ cluster, principal, acls, quota = {}, policies, answers }, startedAt) => {
    const sets = ['acls = :acls', 'policies = :policies', 'appliedAt = :startedAt']
    const removes: string[] = []
    for (const [name, isThere] of [
      ['answeredAt', answers !== undefined],
      ['quota', !isUnlimited(quota)],
    ] as const)
      if (isThere) sets.push(`${name} = :${name}`)
      else removes.push(name)
    return conditionHolds(
      dynamo.send(
        new UpdateCommand({
          TableName: table,
          Key: { cluster, principal },
          UpdateExpression: `SET ${sets.join(', ')}${removes.length === 0 ? '' : ` REMOVE ${removes.join(', ')}`}`,
          ConditionExpression: 'attribute_not_exists(appliedAt) OR appliedAt <= :startedAt',
          ExpressionAttributeValues: {
            ':acls': acls.map(aclKey),
            ':policies': policies,
            ':startedAt': startedAt.toISOString(),
            ...(answers !== undefined && { ':answeredAt': answers.at.toISOString() }),
            ...(!isUnlimited(quota) && { ':quota': quota }),
          },
        }),
      ),
    )
  },
})
