import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation'
import { GetRolePolicyCommand, IAMClient, ListRolePoliciesCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam'
import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda'
import { PurgeQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { parsePolicyFile } from '../../cli/policy-file.ts'
import { awsEnvironment, trustAuthority } from '../../local/emulator.ts'
import { LocalError } from '../../local/errors.ts'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment, runCommand, waitFor } from '../../local/processes.ts'
import type { StackState } from '../../local/state.ts'
import { compileDirectory, type Directory } from '../../shared/domain/directory.ts'

export type Statement = {
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
}

export type Document = { readonly Version: string; readonly Statement: readonly Statement[] }

export type RolePolicy = {
  readonly role: 'resolve' | 'rotate' | 'operator'
  readonly roleName: string
  readonly policyName: string
  readonly document: Document
}

const rolePrefixes = {
  resolve: 'SwitchboardResolveRole',
  rotate: 'SwitchboardRotateRole',
  operator: 'SwitchboardOperatorRole',
} as const
const functionPrefixes = ['SwitchboardResolveFunction', 'SwitchboardRotateFunction'] as const

/** What it takes to change a stack that is up, and to bring it back. */
export const openLiveStack = (state: StackState, signal: AbortSignal) => {
  const { aws, caFile, switchboard, logDirectory, runDirectory } = state
  trustAuthority(readFileSync(caFile, 'utf8'))
  const settings = {
    region: aws.region,
    endpoint: aws.endpointUrl,
    credentials: { accessKeyId: aws.accessKeyId, secretAccessKey: aws.secretAccessKey },
  }
  const cloudFormation = new CloudFormationClient(settings)
  const iam = new IAMClient(settings)
  const lambda = new LambdaClient(settings)
  const sqs = new SQSClient(settings)

  const physicalIds = async (type: string): Promise<ReadonlyMap<string, string>> => {
    const found = new Map<string, string>()
    const pages = paginateListStackResources({ client: cloudFormation }, { StackName: switchboard.stackName })
    for await (const { StackResourceSummaries = [] } of pages)
      for (const { ResourceType, LogicalResourceId = '', PhysicalResourceId = '' } of StackResourceSummaries)
        if (ResourceType === type) found.set(LogicalResourceId, PhysicalResourceId)
    return found
  }

  const one = (ids: ReadonlyMap<string, string>, prefix: string): string => {
    const found = [...ids].filter(([logicalId]) => logicalId.startsWith(prefix))
    const [first] = found
    if (first === undefined || found.length > 1)
      throw new LocalError(`the stack has ${found.length} resources named \`${prefix}...\`, allowed: one`)
    return first[1]
  }

  const policyOf = async (role: RolePolicy['role'], roleName: string): Promise<readonly RolePolicy[]> => {
    const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName: roleName }))
    return Promise.all(
      PolicyNames.map(async (policyName) => {
        const { PolicyDocument = '' } = await iam.send(
          new GetRolePolicyCommand({ RoleName: roleName, PolicyName: policyName }),
        )
        return { role, roleName, policyName, document: JSON.parse(decodeURIComponent(PolicyDocument)) }
      }),
    )
  }

  const replaceWorker = async (name: string): Promise<void> => {
    const { Timeout } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }))
    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, Timeout }))
    await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 30, minDelay: 1 }, { FunctionName: name })
  }

  const post = async (principal: string, intent: unknown): Promise<number> => {
    const response = await fetch(`${switchboard.url}/v1/resolve`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintWorkloadToken(state, { principal })}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(intent),
    })
    await response.body?.cancel()
    return response.status
  }

  return {
    /** The inline policies of the roles that the stack made, as they were deployed. */
    rolePolicies: async (): Promise<readonly RolePolicy[]> => {
      const ids = await physicalIds('AWS::IAM::Role')
      const roles = Object.entries(rolePrefixes) as [RolePolicy['role'], string][]
      return (await Promise.all(roles.map(([role, prefix]) => policyOf(role, one(ids, prefix))))).flat()
    },

    putRolePolicy: async ({ roleName, policyName }: RolePolicy, document: Document): Promise<void> => {
      await iam.send(
        new PutRolePolicyCommand({
          RoleName: roleName,
          PolicyName: policyName,
          PolicyDocument: JSON.stringify(document),
        }),
      )
    },

    /** Functions without anything in memory, and no message that waits for its next try. */
    startAfresh: async (): Promise<void> => {
      await sqs.send(new PurgeQueueCommand({ QueueUrl: switchboard.outputs.QueueUrl }))
      const ids = await physicalIds('AWS::Lambda::Function')
      await Promise.all(functionPrefixes.map((prefix) => replaceWorker(one(ids, prefix))))
    },

    /** The example policy as this stack has it. */
    policyText: (): string => readFileSync(state.policyFile, 'utf8'),

    directory: (): Directory => {
      const parsed = parsePolicyFile(readFileSync(state.policyFile, 'utf8'))
      if (!parsed.ok) throw new LocalError(`the example policy is not valid: ${parsed.issues[0]?.detail}`)
      return compileDirectory(parsed.policy, 'sha256:example').directory
    },

    apply: async (policy: string): Promise<void> => {
      const file = join(runDirectory, 'teeth-policy.yaml')
      writeFileSync(file, policy, { mode: 0o600 })
      await runCommand(
        {
          name: 'switchboard apply',
          file: nodeFile,
          args: [join(root, 'cli/switchboard.ts'), 'apply', file, '--stack', switchboard.stackName],
          env: cleanEnvironment(awsEnvironment(aws, caFile)),
          cwd: runDirectory,
          log: join(logDirectory, 'teeth-apply.log'),
        },
        signal,
      )
    },

    /** Waits until a principal's access is there: first sight of it is behind us. */
    meet: (principal: string, intent: unknown): Promise<void> =>
      waitFor(`\`${principal}\` resolves`, async () => (await post(principal, intent)) === 200, {
        timeoutMs: 60_000,
        signal,
        log: join(logDirectory, 'emulator.log'),
      }),

    testEnvironment: {
      SWITCHBOARD_TEST_STATE: state.stateFile,
      ...awsEnvironment(aws, caFile),
    },
  }
}

export type LiveStack = ReturnType<typeof openLiveStack>
