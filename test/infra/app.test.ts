import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))
const withoutBundles = { 'aws:cdk:bundling-stacks': [] }
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchboard-infra-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Template = {
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>
  readonly Resources: Readonly<
    Record<string, { readonly Properties: { readonly Handler: string; readonly Code: { readonly S3Key: string } } }>
  >
}

type NagReport = {
  readonly pluginName: string
  readonly violations: readonly unknown[]
  readonly suppressedViolations: readonly {
    readonly ruleName: string
    readonly violatingConstructs: readonly { readonly constructPath: string }[]
  }[]
}

type Assembly = { readonly folder: string; readonly template: Template; readonly reports: readonly NagReport[] }

/** What `cdk synth` does: runs the app with a context, from another folder, into a cloud assembly. */
const synthesize = async (name: string, context: Record<string, unknown>): Promise<Assembly> => {
  const out = join(folder, name)
  await run(process.execPath, [join(repository, 'infra/app.ts')], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: [join(repository, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      CDK_OUTDIR: out,
      CDK_CONTEXT_JSON: JSON.stringify(context),
    },
  })
  const json = async (file: string) => JSON.parse(await readFile(join(out, file), 'utf8'))
  const { pluginReports } = await json('validation-report.json')
  return { folder: out, template: await json('Switchboard.template.json'), reports: pluginReports }
}

describe('the app', () => {
  const issuerUrl = 'http://127.0.0.1:8080'
  let production: Assembly
  let development: Assembly

  beforeAll(async () => {
    production = await synthesize('production', withoutBundles)
    development = await synthesize('development', { ...withoutBundles, issuerUrl, development: 'true' })
  })

  it('is one stack named Switchboard', async () => {
    const templates = (await readdir(production.folder)).filter((file) => file.endsWith('.template.json'))
    expect(templates).toEqual(['Switchboard.template.json'])
  })

  it('is for production, at the address of its own API, unless the context says otherwise', () => {
    expect(JSON.stringify(production.template)).toContain('"DEVELOPMENT":"false"')
    expect(production.template.Outputs.IssuerUrl).toEqual(
      expect.objectContaining({ Value: production.template.Outputs.ApiUrl?.Value }),
    )
    expect(JSON.stringify(development.template)).toContain('"DEVELOPMENT":"true"')
    expect(development.template.Outputs.IssuerUrl?.Value).toBe(issuerUrl)
  })

  it('fails for a context that is neither true nor false', async () => {
    await expect(synthesize('wrong', { ...withoutBundles, development: 'yes' })).rejects.toThrow(
      'the context `development` is `yes`; allowed are `true` and `false`',
    )
  })

  it('tells AWS nothing about which constructs it is made of', () => {
    expect(JSON.stringify(production.template)).not.toContain('AWS::CDK::Metadata')
  })

  // Each has its reason beside the construct. A finding that is not here fails the synthesis itself; one that is here
  // and no longer found fails this test.
  const acknowledged = [
    'AwsSolutions-APIG4 Switchboard/Switchboard/Api/EveryRequest/Resource',
    'AwsSolutions-APIG4 Switchboard/Switchboard/Api/PolledRequest/Resource',
    'AwsSolutions-IAM5[Resource::*] Switchboard/Switchboard/Crawl/Crawl/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Switchboard/Switchboard/Resolve/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Switchboard/Switchboard/Rotate/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kafka:*:<AWS::AccountId>:cluster/*] Switchboard/Switchboard/Crawl/Crawl/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:kafka:*:<AWS::AccountId>:topic/*] Switchboard/Switchboard/Crawl/Crawl/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*] Switchboard/Switchboard/Crawl/Crawl/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/clusters/*] Switchboard/Switchboard/Rotate/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/credentials/*] Switchboard/Switchboard/Resolve/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/credentials/*] Switchboard/Switchboard/Rotate/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/registries/*] Switchboard/Switchboard/Resolve/Role/DefaultPolicy/Resource',
    'AwsSolutions-SMG4 Switchboard/Switchboard/SigningKey/Secret',
    'AwsSolutions-SQS3 Switchboard/Switchboard/Work/Revocations/Resource',
  ]

  it.each(['production', 'development'])('has no finding of cdk-nag that is not acknowledged (%s)', (name) => {
    const { reports } = name === 'production' ? production : development
    expect(reports.map(({ pluginName, violations }) => [pluginName, violations])).toEqual([['AwsSolutions', []]])
    const suppressed = reports
      .flatMap(({ suppressedViolations }) => suppressedViolations)
      .flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => `${ruleName} ${constructPath}`),
      )
    expect(suppressed.sort()).toEqual(acknowledged)
  })
})

describe('bundles', () => {
  let bundles: Record<'resolve' | 'rotate' | 'crawl', string>

  beforeAll(async () => {
    const { folder: assembly, template } = await synthesize('bundled', {})
    const asset = (name: string): string => {
      const [, found] =
        Object.entries(template.Resources).find(([id]) => id.startsWith(`Switchboard${name}Function`)) ?? []
      if (found === undefined) throw new Error(`there is no function ${name}`)
      expect(found.Properties.Handler).toBe('dist/index.handler')
      return join(assembly, `asset.${found.Properties.Code.S3Key.replace('.zip', '')}`, 'dist')
    }
    bundles = { resolve: asset('Resolve'), rotate: asset('Rotate'), crawl: asset('Crawl') }
  })

  const environment = {
    STACK_NAME: 'Switchboard',
    ISSUER_URL: 'https://switchboard.acme.com',
    DIRECTORY_TABLE: 'directory',
    LEASES_TABLE: 'leases',
    ACCESS_TABLE: 'access',
    CREDENTIALS_TABLE: 'credentials',
    INVENTORY_TABLE: 'inventory',
    ACCOUNT_ID: '111122223333',
    CONFLUENT_URL: 'https://api.confluent.cloud',
    SLOT_SECRETS_KEY_ARN: 'arn:aws:kms:eu-west-1:111122223333:key/slot-secrets',
    SIGNING_KEY_TIMES: '{}',
    QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/work.fifo',
    ROTATE_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/work.fifo',
    REVOCATIONS_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/revocations',
    SIGNING_KEY_SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:signing-keys',
    DEVELOPMENT: 'false',
    AWS_REGION: 'eu-west-1',
  }

  it.each(['resolve', 'rotate', 'crawl'] as const)(
    'of %s load without anything around them and export a handler',
    async (name) => {
      const print = "import('./index.mjs').then(({ handler }) => { console.log(typeof handler); process.exit() })"
      const { stdout } = await run(process.execPath, ['-e', print], { cwd: bundles[name], env: environment })
      expect(stdout.trim()).toBe('function')
    },
  )

  it('of resolve have beside them what is loaded when it is first needed', async () => {
    const print = "import('@aws-sdk/client-sts').then(({ STS }) => console.log(typeof new STS({}).assumeRole))"
    // from nowhere that has it as well
    const { stdout } = await run(process.execPath, ['-e', print], { cwd: bundles.resolve, env: environment })
    expect(stdout.trim()).toBe('function')
  })

  it('of resolve hold no Kafka client and no STS, because each import is paid at every cold start', async () => {
    const sources = async (name: 'resolve' | 'rotate') =>
      JSON.parse(await readFile(join(bundles[name], 'index.mjs.map'), 'utf8')).sources.join('\n')
    expect(await sources('rotate')).toContain('@platformatic/kafka')
    expect(await sources('resolve')).not.toContain('@platformatic')
    expect(await sources('resolve')).not.toContain('shared/clusters/kafka')
    expect(await sources('resolve')).not.toContain('client-sts')
    expect((await stat(join(bundles.resolve, 'index.mjs'))).size).toBeLessThan(700_000)
  })
})
