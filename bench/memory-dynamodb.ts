/** Items in memory behind the requests of DynamoDB's protocol, and what AWS would have counted for them. */

type Attribute = Readonly<Record<string, unknown>>
type Item = Readonly<Record<string, Attribute>>
type Input = {
  readonly TableName: string
  readonly Item?: Item
  readonly Key?: Item
  readonly ConditionExpression?: string
  readonly ExpressionAttributeValues?: Item
  readonly ExclusiveStartKey?: Item
}

export type Usage = {
  readonly requests: number
  readonly itemsRead: number
  readonly itemsWritten: number
  readonly bytesRead: number
  /** Of strongly consistent reads. */
  readonly readUnits: number
  readonly writeUnits: number
}

export type MemoryDynamo = {
  /** The body of the answer. @throws Error for a request that no store of ours makes */
  readonly answer: (operation: string, input: Input) => { readonly status: number; readonly body: string }
  /** Since the last time. */
  readonly takeUsage: () => Usage
}

/** Of one answer to a query, as DynamoDB cuts them. */
const pageBytes = 1_048_576
const readUnitBytes = 4_096
const writeUnitBytes = 1_024

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
const sizeOf = (attribute: Attribute): number => {
  const [[type, value] = ['NULL', true]] = Object.entries(attribute)
  if (type === 'S') return Buffer.byteLength(String(value))
  if (type === 'B') return Math.floor((String(value).length * 3) / 4)
  if (type === 'N') return Math.ceil(String(value).length / 2) + 1
  if (type === 'L') return 3 + (value as readonly Attribute[]).reduce((sum, each) => sum + 1 + sizeOf(each), 0)
  if (type === 'M') return 3 + itemSize(value as Item) + Object.keys(value as Item).length
  return 1
}

const itemSize = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOf(value), 0)

const text = (attribute: Attribute | undefined): string => String(attribute?.S ?? '')

export const createMemoryDynamo = (): MemoryDynamo => {
  const partitions = new Map<string, Map<string, { readonly item: Item; readonly size: number }>>()
  const nothing = { requests: 0, itemsRead: 0, itemsWritten: 0, bytesRead: 0, readUnits: 0, writeUnits: 0 }
  let usage = { ...nothing }

  const countRead = (items: number, bytes: number): void => {
    usage.itemsRead += items
    usage.bytesRead += bytes
    usage.readUnits += Math.max(1, Math.ceil(bytes / readUnitBytes))
  }
  const countWrite = (bytes: number): void => {
    usage.itemsWritten += 1
    usage.writeUnits += Math.max(1, Math.ceil(bytes / writeUnitBytes))
  }
  const partitionOf = (table: string, key: Item) => {
    const name = `${table} ${text(key.pk)}`
    const found = partitions.get(name) ?? new Map()
    partitions.set(name, found)
    return found
  }
  const isAllowed = (before: Item | undefined, { ConditionExpression, ExpressionAttributeValues }: Input): boolean => {
    if (ConditionExpression === undefined) return true
    if (ConditionExpression === 'attribute_not_exists(revision)') return before?.revision === undefined
    if (ConditionExpression === 'revision = :last')
      return before?.revision?.N === ExpressionAttributeValues?.[':last']?.N
    throw new Error(`no store of ours asks for \`${ConditionExpression}\``)
  }

  const query = (input: Input): unknown => {
    const values = input.ExpressionAttributeValues ?? {}
    const prefix = text(values[':prefix'])
    const after = input.ExclusiveStartKey === undefined ? undefined : text(input.ExclusiveStartKey.sk)
    const partition = partitionOf(input.TableName, { pk: values[':pk'] ?? {} })
    const keys = [...partition.keys()]
      .filter((sk) => sk.startsWith(prefix) && (after === undefined || sk > after))
      .sort()
    const Items: Item[] = []
    let bytes = 0
    for (const sk of keys) {
      const found = partition.get(sk)
      if (found === undefined) continue
      if (bytes + found.size > pageBytes && Items.length > 0) {
        countRead(Items.length, bytes)
        const last = Items.at(-1)
        return { Items, Count: Items.length, LastEvaluatedKey: { pk: last?.pk, sk: last?.sk } }
      }
      Items.push(found.item)
      bytes += found.size
    }
    countRead(Items.length, bytes)
    return { Items, Count: Items.length }
  }

  const put = (input: Input, item: Item): unknown => {
    const partition = partitionOf(input.TableName, item)
    const before = partition.get(text(item.sk))
    const size = itemSize(item)
    countWrite(Math.max(size, before?.size ?? 0))
    if (!isAllowed(before?.item, input)) return undefined
    partition.set(text(item.sk), { item, size })
    return {}
  }

  const run = (operation: string, input: Input): unknown => {
    const { Key = {}, Item = {} } = input
    const found = () => partitionOf(input.TableName, Key).get(text(Key.sk))
    switch (operation) {
      case 'Query':
        return query(input)
      case 'GetItem': {
        const got = found()
        countRead(got === undefined ? 0 : 1, got?.size ?? 0)
        return got === undefined ? {} : { Item: got.item }
      }
      case 'PutItem':
        return put(input, Item)
      case 'UpdateItem':
        // the head of a document
        return put(input, { ...found()?.item, ...Key, chunks: input.ExpressionAttributeValues?.[':chunks'] ?? {} })
      case 'DeleteItem': {
        const before = found()
        countWrite(before?.size ?? 0)
        partitionOf(input.TableName, Key).delete(text(Key.sk))
        return before === undefined ? {} : { Attributes: before.item }
      }
      default:
        throw new Error(`no store of ours asks for \`${operation}\``)
    }
  }

  return {
    answer: (operation, input) => {
      usage.requests += 1
      const body = run(operation, input)
      return body === undefined
        ? {
            status: 400,
            body: JSON.stringify({ __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException' }),
          }
        : { status: 200, body: JSON.stringify(body) }
    },
    takeUsage: () => {
      const taken = usage
      usage = { ...nothing }
      return taken
    },
  }
}
