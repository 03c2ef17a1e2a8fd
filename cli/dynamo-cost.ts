import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'

/** What a command has read from DynamoDB so far. */
export type DynamoCost = {
  readonly requests: number
  /** Of answers, as they came over the network. */
  readonly bytes: number
  /** Read and write request units, as DynamoDB counts them; 0 where it does not say. */
  readonly units: number
}

const unitsOf = (output: unknown): number => {
  const { ConsumedCapacity: consumed } = output as { readonly ConsumedCapacity?: unknown }
  const list = (Array.isArray(consumed) ? consumed : [consumed]) as readonly ({ CapacityUnits?: number } | undefined)[]
  return list.reduce((sum, each) => sum + (each?.CapacityUnits ?? 0), 0)
}

/** Counts what a client does from now on. */
export const meterDynamo = ({
  middlewareStack,
}: Pick<DynamoDBDocumentClient, 'middlewareStack'>): (() => DynamoCost) => {
  let cost: DynamoCost = { requests: 0, bytes: 0, units: 0 }
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
      cost = { ...cost, units: cost.units + unitsOf(result.output) }
      return result
    },
    { step: 'initialize', name: 'countUnits' },
  )
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> }
      cost = { ...cost, requests: cost.requests + 1, bytes: cost.bytes + Number(headers?.['content-length'] ?? 0) }
      return result
    },
    // before the body is read, and for each try
    { step: 'deserialize', name: 'countBytes', priority: 'low' },
  )
  return () => cost
}

/** Of on-demand tables in us-east-1, since November 2024. @see https://aws.amazon.com/dynamodb/pricing/on-demand/ */
const dollarsPerReadUnit = 0.125 / 1_000_000

/** For a person, after what was found. */
export const renderCost = ({ requests, bytes, units }: DynamoCost, seconds: number): string => {
  const read = `read ${(bytes / 1_000_000).toFixed(2)} MB in ${requests} requests and ${seconds.toFixed(1)} s`
  return units === 0 ? read : `${read}, ${units} read units, about $${(units * dollarsPerReadUnit).toFixed(6)}`
}
