import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { MemoryDynamo } from './memory-dynamodb.ts'

/** An answer of DynamoDB in its own JSON, made beforehand so that making it is no part of a figure. */
export type Answer = (operation: string, input: Readonly<Record<string, unknown>>) => string | Uint8Array

export type SimulatedDynamo = { readonly endpoint: string; readonly requests: () => number; readonly close: () => void }

/** Speaks DynamoDB's protocol on this machine with canned answers: it counts what is asked and stores nothing. */
export const startSimulatedDynamo = async (answer: Answer): Promise<SimulatedDynamo> => {
  let requests = 0
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    requests += 1
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
    const body = answer(operation, JSON.parse(Buffer.concat(chunks).toString('utf8')))
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The client as `functions/resolve/index.ts` makes it. */
export const dynamoAt = (endpoint: string): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(
    new DynamoDBClient({
      endpoint,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
      requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
      maxAttempts: 3,
    }),
    { marshallOptions: { removeUndefinedValues: true } },
  )

/** The client without the network: its own code writes the requests and reads the answers. */
export const inProcessDynamo = ({ answer }: MemoryDynamo): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(
    new DynamoDBClient({
      endpoint: 'http://in-process',
      region: 'eu-west-1',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
      requestHandler: {
        handle: async ({ headers, body }: { headers: Record<string, string>; body: Uint8Array }) => {
          const operation = String(headers['x-amz-target']).split('.').at(-1) ?? ''
          const { status, body: text } = answer(operation, JSON.parse(new TextDecoder().decode(body)))
          const type = { 'content-type': 'application/x-amz-json-1.0' }
          return { response: { statusCode: status, headers: type, body: Buffer.from(text) } }
        },
      },
    }),
    { marshallOptions: { removeUndefinedValues: true } },
  )
