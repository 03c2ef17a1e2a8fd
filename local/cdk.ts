import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import type { SigningKeyTimes } from '../shared/domain/signing-key.ts'
import { awsEnvironment } from './emulator.ts'
import { allowBatches } from './emulator-differences.ts'
import { LocalError } from './errors.ts'
import { localBin, nodeFile, root } from './paths.ts'
import { cleanEnvironment, runCommand } from './processes.ts'
import type { StackState } from './state.ts'

export const stackName = 'Switchboard'

export type CdkPlace = {
  readonly runDirectory: string
  readonly logDirectory: string
  readonly aws: StackState['aws']
  readonly caFile: string
  readonly signal: AbortSignal
}

const quiet = ['--no-color', '--no-notices', '--ci']

const run = ({ runDirectory, logDirectory, aws, caFile, signal }: CdkPlace, name: string, args: readonly string[]) => {
  const temporary = join(runDirectory, 'cdk', 'tmp')
  mkdirSync(temporary, { recursive: true })
  return runCommand(
    {
      name: `cdk ${name}`,
      file: nodeFile,
      args: [localBin('cdk'), name, ...args, ...quiet],
      env: cleanEnvironment({
        PATH: `${join(localBin('node'), '..')}:${process.env.PATH ?? ''}`,
        ...awsEnvironment(aws, caFile),
        CDK_HOME: join(runDirectory, 'cdk'),
        CDK_DISABLE_CLI_TELEMETRY: 'true',
        TMPDIR: temporary,
      }),
      cwd: root,
      log: join(logDirectory, `cdk-${name}.log`),
    },
    signal,
  )
}

/** Puts into the account what every CDK deploy needs there. */
export const bootstrap = (place: CdkPlace): Promise<void> =>
  run(place, 'bootstrap', [`aws://${place.aws.accountId}/${place.aws.region}`, '--app', ''])

/** What the deploy is told of this stack. */
export type Deployed = {
  readonly issuerUrl: string
  readonly mskClusterArn: string
  readonly confluentUrl: string
  /** @default - what a stack of people would have */
  readonly signingKeys?: Partial<SigningKeyTimes>
}

const outputOf = ({ runDirectory }: CdkPlace): string => join(runDirectory, 'cdk.out')

/** Renders the app into templates and bundles, in a folder of this run. */
export const synthesize = async (
  place: CdkPlace,
  { issuerUrl, mskClusterArn, confluentUrl, signingKeys = {} }: Deployed,
): Promise<void> => {
  await run(place, 'synth', [
    '--quiet',
    ...['--output', outputOf(place)],
    ...['--context', `issuerUrl=${issuerUrl}`, '--context', 'development=true'],
    ...['--context', `signingKeys=${JSON.stringify(signingKeys)}`, '--context', `mskClusters=${mskClusterArn}`],
    ...['--context', `mskIamClusters=${mskClusterArn}`, '--context', `confluentUrl=${confluentUrl}`],
  ])
  const template = join(outputOf(place), `${stackName}.template.json`)
  writeFileSync(template, allowBatches(readFileSync(template, 'utf8')))
}

const outputsSchema = z.record(z.string(), z.record(z.string(), z.string()))

/** Deploys what was rendered; resolves to the stack's outputs. */
export const deploy = async (place: CdkPlace): Promise<Readonly<Record<string, string>>> => {
  const outputsFile = join(place.runDirectory, 'outputs.json')
  await run(place, 'deploy', [
    stackName,
    ...['--app', outputOf(place), '--require-approval', 'never', '--progress', 'events'],
    ...['--outputs-file', outputsFile],
  ])
  const outputs = outputsSchema.safeParse(JSON.parse(readFileSync(outputsFile, 'utf8'))).data?.[stackName]
  if (outputs === undefined) {
    throw new LocalError('the deploy gave no outputs', join(place.logDirectory, 'cdk-deploy.log'))
  }
  return outputs
}

/** The API's id, from an address that only AWS, or its emulator, gives. */
export const apiIdOf = (apiUrl: string): string => {
  const id = /^https?:\/\/([a-z0-9]+)\.execute-api\./.exec(apiUrl)?.[1]
  if (id === undefined) throw new LocalError(`no API id in \`${apiUrl}\``)
  return id
}
