import { fileURLToPath } from 'node:url'
import { ArnFormat, type Duration, Stack, Validations } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import type { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { bundling, nodeOptions, packageCommands, substitutes } from './bundling.ts'
import { logGroup } from './logs.ts'
import { allow } from './permissions.ts'

export type SwitchboardFunctionProps<Env extends Readonly<Record<string, string>>> = {
  readonly description: string
  /** Relative to the repository, such as `functions/resolve/index.ts`. */
  readonly entry: string
  readonly environment: Env
  readonly memorySize: number
  readonly timeout: Duration
  readonly development: boolean
  readonly logRetention: RetentionDays
  readonly vpc?: IVpc | undefined
  /** What the bundled code reads from disk at run time, relative to the repository. */
  readonly files?: readonly string[]
  /** Packages that it imports by `import()` alone. @default - everything is loaded at the start */
  readonly loadedWhenNeeded?: readonly string[]
}

const repository = fileURLToPath(new URL('..', import.meta.url))

/** A function with nothing it was not given: its role starts with its own log group and its traces. */
export class SwitchboardFunction<Env extends Readonly<Record<string, string>>> extends Construct {
  readonly function: NodejsFunction
  readonly role: Role
  readonly logs: LogGroup

  constructor(scope: Construct, id: string, props: SwitchboardFunctionProps<Env>) {
    super(scope, id)
    const { description, entry, environment, memorySize, timeout, vpc, files = [], loadedWhenNeeded = [] } = props
    const logs = logGroup(this, 'Logs', props)
    this.logs = logs
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com'), description })
    allow(role, logs.logGroupArn, ['logs:CreateLogStream', 'logs:PutLogEvents'])
    this.role = role
    if (vpc !== undefined) allowNetworkInterfaces(role)

    this.function = new NodejsFunction(this, 'Function', {
      description,
      role,
      entry: `${repository}${entry}`,
      handler: 'dist/index.handler',
      projectRoot: repository,
      depsLockFilePath: `${repository}package-lock.json`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize,
      timeout,
      environment: { ...environment, NODE_OPTIONS: nodeOptions },
      logGroup: logs,
      // our own lines are JSON and go to stdout, which Lambda does not wrap; its own lines become JSON too
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      ...(vpc === undefined ? {} : { vpc }),
      bundling: {
        ...bundling,
        format: OutputFormat.ESM,
        bundleAwsSDK: true,
        externalModules: [...loadedWhenNeeded],
        logLevel: LogLevel.WARNING,
        esbuildArgs: Object.fromEntries(
          Object.entries(substitutes).map(([name, file]) => [`--alias:${name}`, `${repository}${file}`]),
        ),
        // packages look for files of their own in `../dist`, as they are published, so the bundle lies there too
        commandHooks: {
          beforeInstall: () => [],
          beforeBundling: () => [],
          afterBundling: (_, output) => [
            `mkdir "${output}/dist"`,
            `mv "${output}/index.mjs" "${output}/index.mjs.map" "${output}/dist"`,
            ...files.map((file) => `cp "${repository}${file}" "${output}/dist"`),
            ...loadedWhenNeeded.flatMap((name) => packageCommands(name, `${output}/dist`, repository)),
          ],
        },
      },
    })
    Validations.of(role).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      reason: vpc === undefined ? traceReason : `${traceReason} ${networkReason}`,
    })
  }
}

const traceReason = 'The two X-Ray write actions have no resources to name.'
const networkReason =
  'Neither have the network-interface actions that Lambda needs to join a VPC; the code of the function is denied them.'

/** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions */
const allowNetworkInterfaces = (role: Role): void => {
  const actions = [
    'ec2:CreateNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:DeleteNetworkInterface',
    'ec2:AssignPrivateIpAddresses',
    'ec2:UnassignPrivateIpAddresses',
  ]
  allow(role, '*', actions)
  role.addToPolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      actions,
      resources: ['*'],
      conditions: {
        ArnLike: {
          'lambda:SourceFunctionArn': Stack.of(role).formatArn({
            service: 'lambda',
            resource: 'function',
            resourceName: '*',
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        },
      },
    }),
  )
}
