import { execFile } from 'node:child_process'
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { until } from '../fixtures/until.ts'

// Callers that prove themselves otherwise than with an OIDC token, and what the platform team can ask about them.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard } = state
const created = 'kafka://payments.acme.com/orders/created'
const client = `legacy-${randomUUID().slice(0, 8)}`
const roleName = `svc-${randomUUID().slice(0, 8)}`
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const iam = new IAMClient(settings)

const command = async (...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(
    nodeFile,
    [join(root, 'cli/switchboard.ts'), ...args, '--stack', switchboard.stackName],
    { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) },
  )
  return stdout.trim()
}

const body = JSON.stringify({ produce: [created], network: 'vpc-local' })

const askAs = async (secret: string) => {
  const response = await fetch(`${switchboard.url}/v1/resolve`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(secret).toString('base64')}`, 'content-type': 'application/json' },
    body,
  })
  return { status: response.status, requestId: response.headers.get('x-request-id') ?? '', text: await response.text() }
}

/** Access of a named principal is there when apply returns; a change of a client's secret takes up to 5 s. */
const untilStatus = (secret: string, wanted: number) =>
  until(
    `an answer of ${wanted}`,
    () => askAs(secret),
    ({ status }) => status === wanted,
  )

beforeAll(async () => {
  const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
  // names of two rules must not meet, so the tokens' names get a beginning of their own
  policy.setIn(['identities', 0, 'principal'], 'oidc.{sub}')
  policy.addIn(['identities'], { client, labels: { team: 'legacy' } })
  policy.addIn(['identities'], { awsRole: `arn:aws:iam::${aws.accountId}:role/svc-*`, principal: 'aws.{roleName}' })
  policy.addIn(['grants'], { principals: [client, `aws.${roleName}`], produce: [created] })
  const file = join(state.runDirectory, 'identities-policy.yaml')
  writeFileSync(file, policy.toString({ lineWidth: 0 }), { mode: 0o600 })
  await command('apply', file)
})

afterAll(async () => {
  await command('apply', state.policyFile)
  // resolve looks at the pointer every 5 s; after them no worker knows the names that this policy gave
  await delay(5_000)
})

describe('a client with a secret', () => {
  let first = ''
  let second = ''

  test('is made by the command, which prints its secret once', async () => {
    first = await command('client', 'add', client)
    expect(first).toMatch(new RegExp(`^${client}:[\\w-]{43}$`))
    await untilStatus(first, 200)
  })

  test('is refused with another secret, and so is an id that does not exist, in the same words', async () => {
    const wrong = await askAs(`${client}:${'A'.repeat(43)}`)
    const unknown = await askAs(`nobody:${'A'.repeat(43)}`)
    const without = (text: string) => ({ ...JSON.parse(text), instance: undefined })
    expect([wrong.status, unknown.status]).toEqual([401, 401])
    expect(without(wrong.text)).toEqual(without(unknown.text))
    expect(wrong.text).not.toContain('AAAA')
  })

  test('has two valid secrets during a rotation and one after it', async () => {
    second = await command('client', 'rotate', client)
    await untilStatus(second, 200)
    expect((await askAs(first)).status).toBe(200)
    await command('client', 'rotate', client, '--finish')
    await untilStatus(first, 401)
    expect((await askAs(second)).status).toBe(200)
  })

  test('is refused once it is removed', async () => {
    await command('client', 'remove', client)
    await untilStatus(second, 401)
  })

  test('has the true reason of its 401 in the audit trail', async () => {
    const { requestId } = await askAs(second)
    // logs take their time on a machine that is busy
    const found = await vi.waitFor(() => command('why', requestId), { timeout: 60_000, interval: 1_000 })
    expect(found).toContain('the client id or its secret is wrong')
    expect(found).not.toContain(second.split(':')[1])
  })
})

describe('a role of AWS', () => {
  const path = new URL(`${aws.endpointUrl}/_aws/execute-api/${switchboard.apiId}/v1/aws/resolve`)
  const session = 'pod-7f9c'

  type Source = string | ArrayBuffer | ArrayBufferView
  const bytesOf = (data: Source): Buffer => {
    if (typeof data === 'string') return Buffer.from(data)
    return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data)
  }

  class Sha256 {
    readonly #hash
    constructor(secret?: Source) {
      this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
    }
    update(data: Source): void {
      this.#hash.update(bytesOf(data))
    }
    async digest(): Promise<Uint8Array> {
      return this.#hash.digest()
    }
    reset(): void {}
  }

  const assume = async (name: string) => {
    const trust = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${aws.accountId}:root` }, Action: 'sts:AssumeRole' },
      ],
    }
    await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) }))
    const invoke = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }],
    }
    await iam.send(
      new PutRolePolicyCommand({ RoleName: name, PolicyName: 'invoke', PolicyDocument: JSON.stringify(invoke) }),
    )
    const { Credentials } = await new STSClient(settings).send(
      new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${aws.accountId}:role/${name}`, RoleSessionName: session }),
    )
    return {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    }
  }

  const askSigned = async (name: string) => {
    const signer = new SignatureV4({
      service: 'execute-api',
      region: aws.region,
      credentials: await assume(name),
      sha256: Sha256,
    })
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: path.protocol,
      hostname: path.hostname,
      port: Number(path.port),
      path: path.pathname,
      headers: { host: path.host, 'content-type': 'application/json' },
      body,
    })
    const response = await fetch(path, { method: 'POST', headers, body })
    return { status: response.status, answer: JSON.parse(await response.text()) }
  }

  const forget = async (name: string): Promise<void> => {
    await iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: 'invoke' }))
    await iam.send(new DeleteRoleCommand({ RoleName: name }))
  }

  test('resolves with a signed request, as the principal that its rule names', async () => {
    const { status, answer } = await askSigned(roleName)
    await forget(roleName)
    expect({ status, answer }).toMatchObject({ status: 200 })
    const [, payload = ''] = answer.connections[0].credential.token.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ sub: `sb.aws.${roleName}` })
  })

  test('that no rule names is refused', async () => {
    const name = `other-${randomUUID().slice(0, 8)}`
    const { status } = await askSigned(name)
    await forget(name)
    expect(status).toBe(401)
  })

  test('is believed on the word of the authorizer only: another header on that path proves nothing', async () => {
    const response = await fetch(`${switchboard.url}/v1/aws/resolve`, {
      method: 'POST',
      headers: { authorization: 'Bearer aaaa.bbbb.cccc', 'content-type': 'application/json' },
      body,
    })
    expect([401, 403]).toContain(response.status)
  })
})
