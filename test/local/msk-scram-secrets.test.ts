import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createFaults } from '../../local/msk/faults.ts'
import { createScramSecrets, type ScramSecrets } from '../../local/msk/scram-secrets.ts'
import type { SecretReader } from '../../local/msk/secret-reader.ts'
import { type ScramAdmin, ScramAdminError } from '../../shared/clusters/kafka/scram-admin.ts'
import { until } from '../fixtures/until.ts'

// What a real broker and a real emulator do not do when asked: fail in the middle.

type SimulatedSecret = { username: string; password: string; versionId: string }

const secretArn = (name: string): string => `arn:aws:secretsmanager:eu-west-1:000000000000:secret:AmazonMSK_${name}`

let running: ScramSecrets | undefined
afterEach(() => running?.stop())

const start = ({ maxUsers = 1_000 } = {}) => {
  const held = new Map<string, SimulatedSecret>()
  const users = new Map<string, string>([['foreign', 'theirs']])
  const reports: string[] = []
  const failing = { kafka: false, secrets: false }
  let beforeUpsert = async (): Promise<void> => {}
  const secrets: SecretReader = {
    describe: async (arn) => (held.has(arn) ? { kmsKeyId: 'customer-key' } : undefined),
    read: async (arn) => {
      if (failing.secrets) throw new Error('simulated: Secrets Manager does not answer')
      return held.get(arn)
    },
    currentVersions: async () => new Map([...held].map(([arn, { versionId }]) => [arn, versionId])),
    allowCluster: async () => {},
  }
  const outcome = (name: string) =>
    failing.kafka
      ? ({ done: false, error: new ScramAdminError('unavailable', `simulated: no broker for \`${name}\``) } as const)
      : ({ done: true } as const)
  const kafka: Pick<ScramAdmin, 'upsert' | 'remove'> = {
    upsert: async (list) => {
      await beforeUpsert()
      if (!failing.kafka) for (const { name, password } of list) users.set(name, password)
      return new Map(list.map(({ name }) => [name, outcome(name)]))
    },
    remove: async (names) => {
      if (!failing.kafka) for (const name of names) users.delete(name)
      return new Map(names.map((name) => [name, outcome(name)]))
    },
  }
  const scramSecrets = createScramSecrets({
    region: 'eu-west-1',
    accountId: '000000000000',
    propagation: () => ({ minMs: 100, maxMs: 150 }),
    maxUsers,
    secrets,
    kafka,
    reservedUsers: ['admin'],
    faults: createFaults(Date.now),
    report: (line) => reports.push(line),
  })
  running = scramSecrets
  const put = (name: string, secret: Partial<SimulatedSecret> = {}): string => {
    const arn = secretArn(name)
    held.set(arn, { username: name, password: 'p', versionId: '1', ...held.get(arn), ...secret })
    return arn
  }
  const holdUpserts = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let held = false
    beforeUpsert = () => {
      held = true
      return promise
    }
    return { isHeld: () => held, release: resolve }
  }
  return { scramSecrets, users, reports, failing, held, put, holdUpserts }
}

const untilSo = (isSo: () => boolean) => until(isSo.toString(), isSo)

test('a broker that is down delays users and loses none', async () => {
  const { scramSecrets, users, reports, failing, put } = start()
  failing.kafka = true
  await scramSecrets.associate([put('a')])
  await untilSo(() => reports.length > 0)
  expect(users.has('a')).toBe(false)

  failing.kafka = false
  await untilSo(() => users.get('a') === 'p')

  failing.kafka = true
  const before = reports.length
  scramSecrets.disassociate([secretArn('a')])
  await untilSo(() => reports.length > before)
  expect(users.has('a')).toBe(true)
  failing.kafka = false
  await untilSo(() => !users.has('a'))
  expect(users.get('foreign')).toBe('theirs')
})

test('Secrets Manager that does not answer delays users, and is reported without a secret', async () => {
  const { scramSecrets, users, reports, failing, put } = start()
  await scramSecrets.associate([put('a', { password: 'top-secret' })])
  failing.secrets = true
  await untilSo(() => reports.length > 0)

  failing.secrets = false

  await untilSo(() => users.get('a') === 'top-secret')
  expect(reports.join('\n')).not.toContain('top-secret')
})

test('a secret that was deleted leaves its user until it is disassociated', async () => {
  const { scramSecrets, users, held, put } = start()
  const arn = put('a')
  await scramSecrets.associate([arn])
  await untilSo(() => users.has('a'))

  held.delete(arn)
  await delay(400)
  expect(users.has('a')).toBe(true)

  expect(scramSecrets.disassociate([arn])).toEqual([])
  await untilSo(() => !users.has('a'))
})

test('a user that is disassociated while the brokers learn it does not stay behind', async () => {
  const { scramSecrets, users, put, holdUpserts } = start()
  const upserts = holdUpserts()
  const arn = put('a')
  await scramSecrets.associate([arn])
  await untilSo(upserts.isHeld)

  scramSecrets.disassociate([arn])
  upserts.release()

  await untilSo(() => users.has('a'))
  await untilSo(() => !users.has('a'))
})

test('a user that is associated again while the brokers learn it stays', async () => {
  const { scramSecrets, users, put, holdUpserts } = start()
  const upserts = holdUpserts()
  const arn = put('a')
  await scramSecrets.associate([arn])
  await untilSo(upserts.isHeld)

  scramSecrets.disassociate([arn])
  await scramSecrets.associate([arn])
  upserts.release()

  await untilSo(() => users.has('a'))
  await delay(600)
  expect(users.has('a')).toBe(true)
})

test('a user that a second secret names stays when the first one goes', async () => {
  const { scramSecrets, users, put } = start()
  const [one, two] = [put('one', { username: 'same' }), put('two', { username: 'same' })]
  await scramSecrets.associate([one, two])
  await untilSo(() => users.has('same'))
  // they take turns, and the brokers have to have learned it from both
  await delay(700)

  scramSecrets.disassociate([one])
  await delay(500)

  expect(users.has('same')).toBe(true)
  scramSecrets.disassociate([two])
  await untilSo(() => !users.has('same'))
})

test('a new version that names the cluster’s own admin changes nobody', async () => {
  const { scramSecrets, users, put } = start()
  await scramSecrets.associate([put('a')])
  await untilSo(() => users.has('a'))

  put('a', { username: 'admin', password: 'taken over', versionId: '2' })
  await delay(500)

  expect(users.has('admin')).toBe(false)
  expect(users.get('a')).toBe('p')
})

test('two calls at once do not both get the last place', async () => {
  const { scramSecrets, put } = start({ maxUsers: 1 })

  const [first, second] = await Promise.all([scramSecrets.associate([put('a')]), scramSecrets.associate([put('b')])])

  expect([...first, ...second]).toMatchObject([{ ErrorCode: 'LimitExceeded' }])
  expect(scramSecrets.list()).toHaveLength(1)
})

test('1,000 users, and no more', async () => {
  const { scramSecrets, users, put } = start()
  const all = Array.from({ length: 1_001 }, (_, at) => put(`user-${at}`))

  const refused = await scramSecrets.associate(all)

  expect(refused).toMatchObject([{ SecretArn: all[1_000], ErrorCode: 'LimitExceeded' }])
  await untilSo(() => users.size === 1_001)
  expect(users.has('user-1000')).toBe(false)
})
