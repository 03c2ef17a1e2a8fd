// Loads a bundle, sends it one event that needs nothing from outside, and says what that took from the process's start.
import type { Context } from 'aws-lambda'

const [file = ''] = process.argv.slice(2)
const { handler } = await import(file)
const { statusCode } = await handler(
  {
    version: '2.0',
    rawPath: '/.well-known/openid-configuration',
    headers: {},
    requestContext: { requestId: 'first', http: { method: 'GET', path: '/.well-known/openid-configuration' } },
  },
  { awsRequestId: 'first', getRemainingTimeInMillis: () => 10_000 } as unknown as Context,
)
if (statusCode !== 200) throw new Error(`the first event was answered with \`${statusCode}\``)
const { user, system } = process.cpuUsage()
process.send?.({ cpuMs: (user + system) / 1000, wallMs: performance.now() })
process.disconnect?.()
