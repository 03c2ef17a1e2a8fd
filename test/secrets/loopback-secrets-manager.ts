import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

const bodyOf = async (request: IncomingMessage): Promise<Record<string, string>> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text)
}

/** Two calls of Secrets Manager on this machine, for the real client; a secret without a value is not found, as in AWS. */
export const startSecretsManager = async () => {
  const values = new Map<string, string>()
  const calls: string[] = []
  let failing = false
  const server = createServer(async (request, response) => {
    const call = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    const { SecretId = '', SecretString = '' } = await bodyOf(request)
    calls.push(call)
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    if (failing) return answer(400, { __type: 'AccessDeniedException', message: 'no' })
    if (call === 'PutSecretValue') {
      values.set(SecretId, SecretString)
      return answer(200, { Name: SecretId })
    }
    const value = values.get(SecretId)
    if (value === undefined) return answer(400, { __type: 'ResourceNotFoundException', message: 'no value' })
    return answer(200, { Name: SecretId, SecretString: value })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new SecretsManagerClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })
  return {
    client,
    values,
    calls,
    fail: () => {
      failing = true
    },
    close: () =>
      new Promise<void>((resolve) => {
        client.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export type LoopbackSecretsManager = Awaited<ReturnType<typeof startSecretsManager>>
