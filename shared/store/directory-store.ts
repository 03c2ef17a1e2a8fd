import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb'
import type { Facts } from '../domain/facts.ts'
import type { Policy } from '../domain/policy.ts'
import type { Revocation } from '../domain/revocation.ts'
import { createDocuments } from './documents.ts'

/** What is in force. Everything that changes it compares and sets on `revision`. */
export type Pointer = {
  /** 0 before the first apply. */
  readonly revision: number
  /** Content address of the policy in force; undefined before the first apply. */
  readonly policy: string | undefined
  /** Content address of what the crawl found of the clusters that the policy leaves to it; undefined: nothing. */
  readonly facts: string | undefined
  /** A policy whose access is being added; not yet in force. */
  readonly next: string | undefined
  /** Who is refused whatever the grants say. */
  readonly denied: readonly Revocation[]
}

/** A policy that was put in force, when, and as which revision. */
export type Revision = { readonly revision: number; readonly policy: string; readonly appliedAt: Date }

export type DirectoryStore = {
  readonly readPointer: () => Promise<Pointer>
  /**
   * Succeeds only if the pointer still has `expected`; answers whether it did. With `appliedAt` the revision goes down in
   * history with it, or neither is written.
   */
  readonly swapPointer: (expected: number, next: Omit<Pointer, 'revision'>, appliedAt?: Date) => Promise<boolean>
  /** Every policy that was put in force, the latest first. */
  readonly listRevisions: () => Promise<readonly Revision[]>
  /** @throws Error when a chunk is missing or the bytes are not those of the address */
  readonly readPolicy: (hash: string) => Promise<Policy>
  /** Writes the chunks, then the head that makes them visible. Writing the same policy twice changes nothing. */
  readonly writePolicy: (policy: Policy) => Promise<string>
  /** @throws Error as `readPolicy` does */
  readonly readFacts: (hash: string) => Promise<Facts>
  readonly writeFacts: (facts: Facts) => Promise<string>
}

const pointerKey = { pk: 'pointer', sk: 'current' }
const historyPk = 'revision'
/** Zeros in front, so that the order of the keys is that of the numbers. */
const historySk = (revision: number): string => String(revision).padStart(10, '0')

/** A principal's name: everywhere. A name and a cluster: there. */
type StoredRevocation = string | { readonly principal: string; readonly cluster: string }

const revocationToItem = ({ principal, cluster }: Revocation): StoredRevocation =>
  cluster === undefined ? principal : { principal, cluster }

const revocationFromItem = (stored: StoredRevocation): Revocation =>
  typeof stored === 'string' ? { principal: stored, cluster: undefined } : stored

/** Somebody else's swap came first, or is being made at this instant. */
const isLost = (error: unknown): boolean =>
  error instanceof TransactionCanceledException &&
  (error.CancellationReasons ?? []).some(
    ({ Code }) => Code === 'ConditionalCheckFailed' || Code === 'TransactionConflict',
  )

export const createDirectoryStore = (dynamo: DynamoDBDocumentClient, table: string): DirectoryStore => {
  const documents = createDocuments(dynamo, table)
  return {
    readPointer: async () => {
      const { Item } = await dynamo.send(new GetCommand({ TableName: table, Key: pointerKey, ConsistentRead: true }))
      return {
        revision: Item?.revision ?? 0,
        policy: Item?.policy,
        facts: Item?.facts,
        next: Item?.next,
        denied: (Item?.denied ?? []).map(revocationFromItem),
      }
    },

    swapPointer: async (expected, { policy, facts, next, denied }, appliedAt) => {
      const isFirst = 'attribute_not_exists(revision)'
      const isExpected = 'revision = :expected'
      const revision = expected + 1
      const pointer = {
        TableName: table,
        Item: { ...pointerKey, revision, policy, facts, next, denied: denied.map(revocationToItem) },
        ConditionExpression: expected === 0 ? isFirst : isExpected,
        ...(expected === 0 ? {} : { ExpressionAttributeValues: { ':expected': expected } }),
      }
      try {
        if (appliedAt === undefined) await dynamo.send(new PutCommand(pointer))
        else {
          const Item = { pk: historyPk, sk: historySk(revision), revision, policy, appliedAt: appliedAt.toISOString() }
          await dynamo.send(
            new TransactWriteCommand({ TransactItems: [{ Put: pointer }, { Put: { TableName: table, Item } }] }),
          )
        }
        return true
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException || isLost(error)) return false
        throw error
      }
    },

    listRevisions: async () => {
      const found: Revision[] = []
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: table,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': historyPk },
          ScanIndexForward: false,
          ConsistentRead: true,
        },
      )
      for await (const page of pages)
        for (const { revision, policy, appliedAt } of page.Items ?? [])
          found.push({ revision, policy, appliedAt: new Date(appliedAt) })
      return found
    },

    readPolicy: async (hash) => (await documents.read('policy', hash)) as Policy,
    writePolicy: (policy) => documents.write('policy', policy),
    readFacts: async (hash) => (await documents.read('facts', hash)) as Facts,
    writeFacts: (facts) => documents.write('facts', facts),
  }
}
