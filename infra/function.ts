import { fileURLToPath } from 'node:url'
import { type Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

export type SwitchboardFunctionProps<Env extends Readonly<Record<string, string>>> = {
  /** Path from the top of the repository. */
  readonly entry: string
  readonly description: string
  /** Typed by the function's own `env.ts`: a missing variable does not compile. */
  readonly environment: Env
  readonly memorySize: number
  readonly timeout: Duration
  readonly logRetention: RetentionDays
  readonly development: boolean
  readonly vpc?: IVpc | undefined
}

/** A function of ours: arm64, Node 24, one bundled ES module, a log group with an end, and a role that starts empty. */
export class SwitchboardFunction<Env extends Readonly<Record<string, string>>> extends Construct {
  readonly function: NodejsFunction
  readonly role: Role

  constructor(scope: Construct, id: string, props: SwitchboardFunctionProps<Env>) {
    super(scope, id)
    const { entry, description, environment, memorySize, timeout, logRetention, development, vpc } = props
    const logGroup = new LogGroup(this, 'Logs', {
      retention: logRetention,
      removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    })
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
    logGroup.grantWrite(this.role)
    if (vpc !== undefined)
      this.role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaVPCAccessExecutionRole'))
    Validations.of(this.role).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      reason: 'X-Ray has no resources to name: xray:PutTraceSegments and xray:PutTelemetryRecords',
    })
    this.function = new NodejsFunction(this, 'Function', {
      entry: fileURLToPath(new URL(`../${entry}`, import.meta.url)),
      depsLockFilePath: fileURLToPath(new URL('../package-lock.json', import.meta.url)),
      handler: 'handler',
      description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize,
      timeout,
      environment,
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.TEXT,
      tracing: Tracing.ACTIVE,
      ...(vpc === undefined ? {} : { vpc }),
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        minify: true,
        // ES modules first: CommonJS builds of the AWS SDK do not shake and make resolve a third larger
        mainFields: ['module', 'main'],
        // some dependencies still `require` built-in modules
        banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
        externalModules: [],
      },
    })
  }

  /** One statement, exactly these actions on exactly these resources. */
  allow(actions: string[], resources: string[]): void {
    this.role.addToPolicy(new PolicyStatement({ actions, resources }))
  }
}
