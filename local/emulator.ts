import { mkdirSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Authority } from './certificates.ts'
import { emulatorSettings, emulatorTls, workerPackage } from './emulator-differences.ts'
import { localBin, root } from './paths.ts'
import { cleanEnvironment, startProcess, waitUntilReady } from './processes.ts'
import type { StackState } from './state.ts'

const answers = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get(url, { timeout: 1000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })

/** Lets this process call the emulator; a child gets the same from `NODE_EXTRA_CA_CERTS`. */
export const trustAuthority = (certificate: string): void =>
  setDefaultCACertificates([...getCACertificates('default'), certificate])

/** Where the emulator's launcher notes what AssumeRole answers. */
export const sessionsFileOf = (runDirectory: string): string => join(runDirectory, 'emulator', 'sessions.jsonl')

/** Starts the AWS emulator and waits until it answers. */
export const startEmulator = async ({
  runDirectory,
  logDirectory,
  pythonFile,
  authority,
  aws,
  port,
  caFile,
  mskUrl,
  signal,
}: {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly pythonFile: string
  readonly authority: Authority
  readonly aws: StackState['aws']
  readonly port: number
  readonly caFile: string
  /** Where functions find MSK, which the emulator itself does not have. */
  readonly mskUrl?: string
  readonly signal: AbortSignal
}): Promise<void> => {
  const folder = join(runDirectory, 'emulator')
  const temporary = join(folder, 'tmp')
  mkdirSync(temporary, { recursive: true, mode: 0o700 })
  writeFileSync(join(temporary, workerPackage.name), workerPackage.content)
  const { key, certificate } = await authority.issue('aws-emulator')
  const certificateFile = join(folder, 'certificate.pem')
  const keyFile = join(folder, 'key.pem')
  writeFileSync(certificateFile, `${certificate}${authority.certificate}`, { mode: 0o600 })
  writeFileSync(keyFile, key, { mode: 0o600 })
  const started = startProcess(runDirectory, {
    name: 'emulator',
    file: pythonFile,
    args: [join(root, 'local/emulator_launcher.py')],
    env: cleanEnvironment({
      // Its function workers run the first `node` they find.
      PATH: `${join(localBin('node'), '..')}:${process.env.PATH ?? ''}`,
      HOME: folder,
      TMPDIR: temporary,
      STS_SESSIONS_FILE: sessionsFileOf(runDirectory),
      ...emulatorSettings({ port, region: aws.region, accountId: aws.accountId, folder }),
      ...emulatorTls({ certificateFile, keyFile, caFile }),
      // its function workers inherit it
      ...(mskUrl !== undefined && { AWS_ENDPOINT_URL_KAFKA: mskUrl }),
    }),
    cwd: folder,
    log: join(logDirectory, 'emulator.log'),
  })
  await waitUntilReady(started, () => answers(`${aws.endpointUrl}/_ministack/health`), { timeoutMs: 30_000, signal })
}

/** The standard environment of AWS tools, pointed at the emulator and at nothing else. */
export const awsEnvironment = (aws: StackState['aws'], caFile: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: aws.endpointUrl,
  AWS_REGION: aws.region,
  AWS_DEFAULT_REGION: aws.region,
  AWS_ACCESS_KEY_ID: aws.accessKeyId,
  AWS_SECRET_ACCESS_KEY: aws.secretAccessKey,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CA_BUNDLE: caFile,
  NODE_EXTRA_CA_CERTS: caFile,
})
