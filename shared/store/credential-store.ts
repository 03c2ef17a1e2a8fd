import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  paginateScan,
  QueryCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Credential, Slot, SlotHealth, SlotName, SlotState, StepKind } from '../domain/rotation.ts'
import { spread } from '../domain/spread.ts'
import { conditionHolds } from './conditional-write.ts'

/** `version` counts the writes; `dueAt`: when somebody should look again, undefined while it waits for nothing. */
export type StoredCredential = {
  readonly credential: Credential
  readonly version: number
  readonly dueAt: Date | undefined
}

export type CredentialKey = { readonly cluster: string; readonly principal: string }

/** The state of stored credentials; never their secrets. */
export type CredentialStore = {
  /** Consistent: what was written before is seen. */
  readonly read: (cluster: string, principal: string) => Promise<StoredCredential | undefined>
  /** Without a cluster it reads the whole table: for an operator's questions only. */
  readonly list: (cluster?: string) => Promise<readonly StoredCredential[]>
  /** Those that are due, the longest due first; may lag behind writes for a moment. Reads no item that is not due. */
  readonly due: (now: Date, limit: number) => Promise<readonly CredentialKey[]>
  /** Compare-and-set: false when `expectedVersion` is not what is stored. 0: there must be none. */
  readonly write: (expectedVersion: number, credential: Credential, dueAt: Date | undefined) => Promise<boolean>
  /** False when `expectedVersion` is not what is stored. */
  readonly remove: (cluster: string, principal: string, expectedVersion: number) => Promise<boolean>
}

/** Sparse: holds what waits for something. */
export const dueIndex = 'due'
const shardCount = 8

const shardOf = ({ cluster, principal }: CredentialKey): string =>
  String(Math.floor(spread('shard', cluster, principal) * shardCount))

const slotToItem = ({ since, checkedAt, toldAt, lookAt, ...rest }: Slot): Record<string, unknown> => ({
  ...rest,
  since: since.toISOString(),
  checkedAt: checkedAt.toISOString(),
  toldAt: toldAt.toISOString(),
  ...(lookAt !== undefined && { lookAt: lookAt.toISOString() }),
})

const slotFromItem = (item: Record<string, unknown>): Slot => ({
  state: item.state as SlotState,
  since: new Date(String(item.since)),
  generation: Number(item.generation),
  health: item.health as SlotHealth,
  checkedAt: new Date(String(item.checkedAt)),
  toldAt: new Date(String(item.toldAt)),
  ...(item.lookAt !== undefined && { lookAt: new Date(String(item.lookAt)) }),
})

export const credentialToItem = ({ credential, version, dueAt }: StoredCredential): Record<string, unknown> => {
  const { cluster, principal, slots, wanted, failures, claim } = credential
  return {
    cluster,
    principal,
    version,
    slots: { a: slotToItem(slots.a), b: slotToItem(slots.b) },
    wanted,
    ...(failures !== undefined && { failures: { ...failures, retryAt: failures.retryAt.toISOString() } }),
    ...(claim !== undefined && { claim: { ...claim, until: claim.until.toISOString() } }),
    ...(dueAt !== undefined && { shard: shardOf(credential), dueAt: dueAt.toISOString() }),
  }
}

type Item = Readonly<Record<string, unknown>> & {
  readonly slots: Readonly<Record<SlotName, Record<string, unknown>>>
  readonly failures?: {
    readonly count: number
    readonly step: StepKind
    readonly reason: string
    readonly retryAt: string
  }
  readonly claim?: { readonly by: string; readonly until: string }
}

export const credentialFromItem = (item: Record<string, unknown>): StoredCredential => {
  const { cluster, principal, version, slots, wanted, failures, claim, dueAt } = item as Item
  return {
    credential: {
      cluster: String(cluster),
      principal: String(principal),
      slots: { a: slotFromItem(slots.a), b: slotFromItem(slots.b) },
      wanted: wanted === true,
      failures: failures && { ...failures, retryAt: new Date(failures.retryAt) },
      claim: claim && { ...claim, until: new Date(claim.until) },
    },
    version: Number(version),
    dueAt: dueAt === undefined ? undefined : new Date(String(dueAt)),
  }
}

/** What a slot must still be when a lease that names it is written. */
export type SlotCheck = {
  readonly cluster: string
  readonly slot: SlotName
  readonly generation: number
  /** Handed out with this very write, and not only kept for who has it. */
  readonly isNew: boolean
}

const handedOut: readonly SlotState[] = ['active']
const kept: readonly SlotState[] = ['active', 'draining']

/** The states in which `slotToHandOut` and `mayKeep` say yes; health is no matter of a race. */
export const statesFor = ({ isNew }: Pick<SlotCheck, 'isNew'>): readonly SlotState[] => (isNew ? handedOut : kept)

/** For a transaction of somebody who writes elsewhere that he has slots: one condition a credential, as DynamoDB wants it. */
export const slotConditions = (table: string, principal: string, checks: readonly SlotCheck[]) =>
  [...new Set(checks.map(({ cluster }) => cluster))].map((cluster) => {
    const names: Record<string, string> = { '#slots': 'slots', '#state': 'state' }
    const values: Record<string, unknown> = { ':wanted': true }
    const conditions = checks
      .filter((check) => check.cluster === cluster)
      .map((check, at) => {
        const states = statesFor(check).map((state, index) => [`:state${at}_${index}`, state] as const)
        names[`#slot${at}`] = check.slot
        values[`:generation${at}`] = check.generation
        Object.assign(values, Object.fromEntries(states))
        const slot = `#slots.#slot${at}`
        return `${slot}.generation = :generation${at} AND ${slot}.#state IN (${states.map(([name]) => name).join(', ')})`
      })
    return {
      TableName: table,
      Key: { cluster, principal },
      ConditionExpression: ['wanted = :wanted', ...conditions].join(' AND '),
      ExpressionAttributeNames: names,
      ExpressionAttributeValues: values,
    }
  })

export const createCredentialStore = (dynamo: DynamoDBDocumentClient, table: string): CredentialStore => {
  const dueIn = async (
    shard: string,
    now: Date,
    limit: number,
  ): Promise<readonly (CredentialKey & { at: string })[]> => {
    const { Items = [] } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        IndexName: dueIndex,
        KeyConditionExpression: '#shard = :shard AND dueAt <= :now',
        ExpressionAttributeNames: { '#shard': 'shard' },
        ExpressionAttributeValues: { ':shard': shard, ':now': now.toISOString() },
        Limit: limit,
      }),
    )
    return Items.map(({ cluster, principal, dueAt }) => ({ cluster, principal, at: dueAt }))
  }

  return {
    read: async (cluster, principal) => {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: { cluster, principal }, ConsistentRead: true }),
      )
      return Item === undefined ? undefined : credentialFromItem(Item)
    },

    list: async (cluster) => {
      const found: StoredCredential[] = []
      const pages =
        cluster === undefined
          ? paginateScan({ client: dynamo }, { TableName: table })
          : paginateQuery(
              { client: dynamo },
              {
                TableName: table,
                KeyConditionExpression: '#cluster = :cluster',
                ExpressionAttributeNames: { '#cluster': 'cluster' },
                ExpressionAttributeValues: { ':cluster': cluster },
                ConsistentRead: true,
              },
            )
      for await (const page of pages) found.push(...(page.Items ?? []).map(credentialFromItem))
      return found
    },

    due: async (now, limit) => {
      const shards = await Promise.all(
        Array.from({ length: shardCount }, (_, shard) => dueIn(String(shard), now, limit)),
      )
      return shards
        .flat()
        .sort((a, b) => (a.at < b.at ? -1 : 1))
        .slice(0, limit)
        .map(({ cluster, principal }) => ({ cluster, principal }))
    },

    write: (expectedVersion, credential, dueAt) =>
      conditionHolds(
        dynamo.send(
          new PutCommand({
            TableName: table,
            Item: credentialToItem({ credential, version: expectedVersion + 1, dueAt }),
            ...(expectedVersion === 0
              ? { ConditionExpression: 'attribute_not_exists(#version)' }
              : {
                  ConditionExpression: '#version = :expected',
                  ExpressionAttributeValues: { ':expected': expectedVersion },
                }),
            ExpressionAttributeNames: { '#version': 'version' },
          }),
        ),
      ),

    remove: (cluster, principal, expectedVersion) =>
      conditionHolds(
        dynamo.send(
          new DeleteCommand({
            TableName: table,
            Key: { cluster, principal },
            ConditionExpression: '#version = :expected',
            ExpressionAttributeNames: { '#version': 'version' },
            ExpressionAttributeValues: { ':expected': expectedVersion },
          }),
        ),
      ),
  }
}
