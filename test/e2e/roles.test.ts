import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment, runCommand } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'
import { until } from '../fixtures/until.ts'

// What the deployed roles let the functions and the command do, each through what somebody wants from it.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws, switchboard, clusters } = state
const settings = {
  region: aws.region,
  endpoint: aws.endpointUrl,
  credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
}
const secrets = new SecretsManagerClient(settings)
const sqs = new SQSClient(settings)
const created = 'kafka://payments.acme.com/orders/created'
const daily = 'kafka://payments.acme.com/reports/daily'
const cap = 2

const some = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`

type Answer = { readonly status: number; readonly code?: string; readonly lease?: { readonly id: string } }

const ask = async (principal: string, team: string, intent: Record<string, unknown>): Promise<Answer> => {
  const response = await fetch(`${switchboard.url}/v1/resolve`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await mintWorkloadToken(state, { principal, claims: { team } })}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(intent),
  })
  return { status: response.status, ...Object(await response.json()) }
}

const release = async (principal: string, id: string): Promise<number> => {
  const authorization = `Bearer ${await mintWorkloadToken(state, { principal })}`
  const options = { method: 'DELETE', headers: { authorization } }
  return (await fetch(`${switchboard.url}/v1/leases/${id}`, options)).status
}

const isAnswered = ({ status }: Answer): boolean => status === 200

const apply = (policyFile: string): Promise<void> =>
  runCommand({
    name: 'switchboard apply',
    file: nodeFile,
    args: [join(root, 'cli/switchboard.ts'), 'apply', policyFile, '--stack', switchboard.stackName, '--wait', '15'],
    env: cleanEnvironment(awsEnvironment(aws, state.caFile)),
    cwd: root,
    log: join(state.logDirectory, 'roles-apply.log'),
  })

test('resolve answers somebody whose access is there', async () => {
  expect(await ask('orders-api', 'payments', { produce: [created] })).toMatchObject({ status: 200 })
})

test('rotate makes the access of somebody it never saw, and resolve waits for it', async () => {
  const principal = some('first-seen')

  const first = await ask(principal, 'finance', { consume: [created] })
  const last = await until(
    'access that apply makes',
    () => ask(principal, 'finance', { consume: [created] }),
    isAnswered,
  )

  expect(first).toMatchObject({ status: 503, code: 'credential_not_ready' })
  expect(last).toMatchObject({ status: 200 })
})

test('rotate tries a message again soon after it failed, while others go on', async () => {
  const { secretArn } = clusters.analytics.admin
  const { SecretString: right = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }))
  await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString: 'not what it should be' }))
  const principal = some('tried-again')
  const askAgain = () => ask(principal, 'analytics', { consume: [daily] })
  try {
    expect(await askAgain()).toMatchObject({ status: 503, code: 'credential_not_ready' })
    // a message behind it that is done says that it was tried and has failed
    const other = some('meanwhile')
    expect(
      await until('access on the other cluster', () => ask(other, 'finance', { consume: [created] }), isAnswered),
    ).toMatchObject({ status: 200 })
    expect(await askAgain()).toMatchObject({ status: 503 })
  } finally {
    await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString: right }))
  }

  // the message comes back after 2, 4, 8, ... seconds; left alone it would take minutes
  expect(await until('access with the right secret', askAgain, isAnswered)).toMatchObject({ status: 200 })
})

test('rotate makes a signing key where there is none', async () => {
  const SecretId = switchboard.outputs.SigningKeySecretArn ?? ''
  const currentVersion = async (): Promise<string | undefined> => {
    const { Versions = [] } = await secrets.send(new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated: true }))
    return Versions.find(({ VersionStages }) => VersionStages?.includes('AWSCURRENT'))?.VersionId
  }
  const move = (to: string | undefined, from: string | undefined) =>
    secrets.send(
      new UpdateSecretVersionStageCommand({
        SecretId,
        VersionStage: 'AWSCURRENT',
        ...(from !== undefined && { RemoveFromVersionId: from }),
        ...(to !== undefined && { MoveToVersionId: to }),
      }),
    )
  const before = await currentVersion()
  await move(undefined, before)
  try {
    expect(await currentVersion()).toBeUndefined()

    await sqs.send(
      new SendMessageCommand({
        QueueUrl: switchboard.outputs.QueueUrl,
        MessageBody: JSON.stringify({ kind: 'ensure-keys' }),
        MessageGroupId: '@signing-keys',
        MessageDeduplicationId: randomUUID(),
      }),
    )

    expect(await until('a signing key', currentVersion, (version) => version !== undefined)).toEqual(expect.any(String))
  } finally {
    // the key that brokers know; resolve has held it all the while
    await move(before, await currentVersion())
  }
})

describe('under a policy that the operator role put in force', () => {
  const named = some('named')
  const own = `kafka://payments.acme.com/orders/${named}`
  const askAs = (instance: string, more: Record<string, unknown> = {}) =>
    ask(named, 'none', { produce: [own], client: { instance }, ...more })

  afterAll(async () => {
    await apply(state.policyFile)
    // every instance of the function looks at the pointer within 5 s; until then the cap is one for other tests too
    await delay(5_000)
  })

  test('whom it names has access before it is in force', async () => {
    const policy = parseDocument(readFileSync(state.policyFile, 'utf8'))
    policy.addIn(['grants'], { principals: [named], produce: [own] })
    policy.set('limits', { leasesPerPrincipal: cap })
    const policyFile = join(state.runDirectory, 'roles-policy.yaml')
    writeFileSync(policyFile, policy.toString({ lineWidth: 0 }), { mode: 0o600 })

    await apply(policyFile)

    // a policy is seen within seconds, and until then this principal is a stranger; it is never told to wait
    const statuses = new Set<number>()
    const answer = await until(
      'a policy that is in force everywhere',
      () => askAs('first'),
      ({ status }) => {
        statuses.add(status)
        return status === 200
      },
    )
    expect(answer).toMatchObject({ status: 200 })
    expect(statuses).not.toContain(503)
  })

  test('a lease is renewed, released, and one over the cap is refused', async () => {
    const second = await askAs('second')
    const id = second.lease?.id ?? ''
    const renewed = await askAs('second', { lease: id })
    const third = await askAs('third')
    const released = await release(named, id)
    const afterwards = await askAs('third')

    expect(second).toMatchObject({ status: 200 })
    expect(renewed).toMatchObject({ status: 200, lease: { id } })
    expect(third).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(released).toBe(204)
    expect(afterwards).toMatchObject({ status: 200 })
  })

  test('the command shows who holds a lease for a channel, and what one principal holds', async () => {
    const { lease } = await askAs('first')
    const leases = async (...args: string[]): Promise<string> => {
      const options = { cwd: root, env: cleanEnvironment(awsEnvironment(aws, state.caFile)) }
      const words = ['leases', ...args, '--json', '--stack', switchboard.stackName]
      return (await promisify(execFile)(nodeFile, [join(root, 'cli/switchboard.ts'), ...words], options)).stdout
    }

    expect(await leases('--channel', own)).toContain(lease?.id)
    expect(await leases('--principal', named)).toContain(lease?.id)
  })
})
