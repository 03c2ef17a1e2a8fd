import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { beforeAll, describe, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { saveFunctionLogs } from '../../local/function-logs.ts'
import { mintedTokensFile } from '../../local/issuer.ts'
import { localFolder } from '../../local/paths.ts'
import { readStackState } from '../../local/state.ts'

// Runs after everything else and searches whatever was logged for whatever was secret.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))
const { aws } = state
const functionsLog = join(state.logDirectory, 'functions.log')

type Secret = { readonly name: string; readonly text: string }

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(folder, entry.name))

/** As it is, and as base64, a URL or JSON would carry it. */
const spellings = (text: string): readonly string[] => {
  const bytes = Buffer.from(text)
  // base64 of a text depends on where it starts; cut to what every reader of that alignment would find
  const aligned = [0, 1, 2].map((skip) => bytes.subarray(skip, skip + 3 * Math.floor((bytes.length - skip) / 3)))
  return [
    text,
    ...aligned.flatMap((part) => [part.toString('base64'), part.toString('base64url')]),
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
  ]
}

/** No spelling of a secret is shorter. */
const startLength = 16

/** One pass over a text, however many secrets there are. */
const secretsIn = (text: string, byStart: ReadonlyMap<string, readonly Secret[]>): readonly string[] => {
  const found = new Set<string>()
  for (let at = 0; at + startLength <= text.length; at++)
    for (const { name, text: spelling } of byStart.get(text.slice(at, at + startLength)) ?? [])
      if (text.startsWith(spelling, at)) found.add(name)
  return [...found]
}

let logs: readonly { readonly file: string; readonly text: string }[] = []
let secrets: readonly Secret[] = []

beforeAll(async () => {
  await saveFunctionLogs(state, functionsLog)
  logs = [...filesIn(state.logDirectory), ...filesIn(join(localFolder, 'test-results'))].map((file) => ({
    file,
    text: readFileSync(file, 'utf8'),
  }))
  const { SecretString = '' } = await new SecretsManagerClient({
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  }).send(new GetSecretValueCommand({ SecretId: state.switchboard.outputs.SigningKeySecretArn }))
  const { keys }: { keys: { privateKey: string }[] } = JSON.parse(SecretString)
  secrets = [
    { name: 'the admin password of Kafka', text: state.clusters.payments.admin.password },
    ...Object.entries(state.clients).map(([id, pair]) => ({
      name: `the secret of ${id}`,
      text: pair.slice(id.length + 1),
    })),
    ...keys.flatMap(({ privateKey }) =>
      privateKey
        .split('\n')
        .filter((line) => line.length > 40)
        .map((text) => ({ name: 'our signing key', text })),
    ),
    // the signature makes a token usable; claims and header alone do not
    ...readFileSync(mintedTokensFile(state.runDirectory), 'utf8')
      .trim()
      .split('\n')
      .map((token) => ({ name: 'a workload token', text: token.split('.')[2] ?? '' })),
  ]
})

describe('everything that was logged', () => {
  test('is there to be searched: decisions, refusals and hundreds of secrets', () => {
    const said = logs.find(({ file }) => file === functionsLog)?.text ?? ''
    expect(said).toContain('"audit"')
    expect(said).toContain('request refused')
    expect(secrets.length).toBeGreaterThan(20)
    expect(secrets.every(({ text }) => text.length >= 16)).toBe(true)
  })

  test('holds no secret that was used, in any spelling', () => {
    const spelled = secrets.flatMap(({ name, text }) => spellings(text).map((spelling) => ({ name, text: spelling })))
    const byStart = Map.groupBy(spelled, ({ text }) => text.slice(0, startLength))
    expect(secretsIn(`before ${spelled.at(-1)?.text} after`, byStart)).toEqual([spelled.at(-1)?.name])
    const found = logs.flatMap(({ file, text }) => secretsIn(text, byStart).map((name) => `${name} in ${file}`))
    expect(found).toEqual([])
  })

  test('holds nothing that has the shape of a signed token', () => {
    const token = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{40,}/
    expect(logs.filter(({ text }) => token.test(text)).map(({ file }) => file)).toEqual([])
  })
})
