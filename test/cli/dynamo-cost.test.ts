import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, paginateQuery } from '@aws-sdk/lib-dynamodb'
import { expect, test } from 'vitest'
import { meterDynamo, renderCost } from '../../cli/dynamo-cost.ts'

/** The SDK itself over a handler that answers what a table would. */
const aClient = (bodies: readonly object[]) => {
  const asked: Record<string, unknown>[] = []
  const answers = bodies.map((body) => JSON.stringify(body))
  const client = new DynamoDBClient({
    region: 'eu-west-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
    requestHandler: {
      handle: async ({ body }: { body: Uint8Array }) => {
        asked.push(JSON.parse(new TextDecoder().decode(body)))
        const text = answers.shift() ?? '{}'
        const { Readable } = await import('node:stream')
        const headers = { 'content-length': String(Buffer.byteLength(text)) }
        return { response: { statusCode: 200, headers, body: Readable.from([Buffer.from(text)]) } }
      },
    } as never,
  })
  return {
    client: DynamoDBDocumentClient.from(client),
    asked,
    bytes: Buffer.byteLength(bodies.map((b) => JSON.stringify(b)).join('')),
  }
}

test('every request counts with its bytes, and with the units that DynamoDB says it took', async () => {
  const page = { Items: [{ pk: { S: 'a' } }], ConsumedCapacity: { CapacityUnits: 2.5 } }
  const { client, asked, bytes } = aClient([{ ...page, LastEvaluatedKey: { pk: { S: 'a' } } }, page, {}])
  const cost = meterDynamo(client)

  const query = { TableName: 't', KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': 'a' } }
  for await (const { Items } of paginateQuery({ client }, query)) expect(Items).toEqual([{ pk: 'a' }])
  await client.send(new GetCommand({ TableName: 't', Key: { pk: 'a' } }))

  expect(cost()).toEqual({ requests: 3, bytes, units: 5 })
  expect(asked.map(({ ReturnConsumedCapacity }) => ReturnConsumedCapacity)).toEqual(['TOTAL', 'TOTAL', 'TOTAL'])
})

test('the cost is told in megabytes, requests and seconds, and in dollars where the units are known', () => {
  expect(renderCost({ requests: 12, bytes: 3_456_789, units: 0 }, 1.234)).toBe('read 3.46 MB in 12 requests and 1.2 s')
  expect(renderCost({ requests: 12, bytes: 3_456_789, units: 800 }, 1.234)).toBe(
    'read 3.46 MB in 12 requests and 1.2 s, 800 read units, about $0.000100',
  )
})
