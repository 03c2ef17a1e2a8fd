import { ArnFormat, Aws, Duration, Stack, Token, Validations } from 'aws-cdk-lib'
import { ArnPrincipal, type IRole, Role } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type MskUsersProps = {
  /** ARNs of the clusters. */
  readonly clusters: readonly string[]
  readonly resolve: IFunction
  readonly rotate: IFunction
  /** Of the key that the secrets of slots are encrypted with. */
  readonly keyArn: string
}

/** Lets rotate keep the users of MSK clusters: secrets under the names that MSK takes, associated with these clusters. */
export const allowMskUsers = ({ clusters, resolve, rotate, keyArn }: MskUsersProps): void => {
  const secrets = Stack.of(rotate).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: `AmazonMSK_switchboard_${Aws.STACK_NAME}_*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  })
  const throughTheseSecrets = {
    StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com` },
    StringLike: { 'kms:EncryptionContext:SecretARN': secrets },
  }
  allow(resolve, secrets, ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'])
  allow(resolve, keyArn, ['kms:Decrypt'], throughTheseSecrets)
  allow(rotate, secrets, [
    'secretsmanager:CreateSecret',
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
    'secretsmanager:PutSecretValue',
    'secretsmanager:DeleteSecret',
    'secretsmanager:RestoreSecret',
    'secretsmanager:TagResource',
  ])
  allow(rotate, keyArn, ['kms:Decrypt', 'kms:GenerateDataKey'], throughTheseSecrets)
  // MSK lets its own role read a secret by a grant, in the name of who associates the secret
  allow(rotate, keyArn, ['kms:CreateGrant'], { Bool: { 'kms:GrantIsForAWSResource': 'true' } })
  for (const cluster of clusters)
    allow(rotate, checkedClusterArn(cluster), [
      'kafka:ListScramSecrets',
      'kafka:BatchAssociateScramSecret',
      'kafka:BatchDisassociateScramSecret',
    ])
  for (const grantee of [resolve, rotate])
    Validations.of(grantee.role ?? grantee).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:AmazonMSK_switchboard_<AWS::StackName>_*]',
      reason:
        'The policy document, not the deploy, says who has a credential on which cluster; their secrets share this prefix.',
    })
}

export type MskClientRoleProps = {
  /** ARNs of the clusters, provisioned or serverless. */
  readonly clusters: readonly string[]
  /** Who is this role for principals, and leaves each of them no more than its grants give. */
  readonly resolve: IRole
}

/** What principals are on MSK clusters: a role of everything that any of them may ever do there. */
export class MskClientRole extends Construct {
  readonly role: Role

  constructor(scope: Construct, id: string, { clusters, resolve }: MskClientRoleProps) {
    super(scope, id)
    this.role = new Role(this, 'Role', {
      // the tags say whose session it is, in the trail and to policies
      assumedBy: new ArnPrincipal(resolve.roleArn).withSessionTags(),
      description: 'Switchboard: what principals are on MSK clusters, each by a session with a policy of its own',
      maxSessionDuration: Duration.hours(1),
    })
    for (const cluster of clusters) {
      const arn = checkedIamClusterArn(cluster)
      const all = (kind: string): string => `${arn.replace(':cluster/', `:${kind}/`)}/*`
      allow(this.role, arn, ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'])
      allow(this.role, all('topic'), [
        'kafka-cluster:DescribeTopic',
        'kafka-cluster:ReadData',
        'kafka-cluster:WriteData',
      ])
      allow(this.role, all('group'), ['kafka-cluster:AlterGroup', 'kafka-cluster:DescribeGroup'])
      allow(this.role, all('transactional-id'), [
        'kafka-cluster:AlterTransactionalId',
        'kafka-cluster:DescribeTransactionalId',
      ])
      for (const kind of ['topic', 'group', 'transactional-id'])
        Validations.of(this.role).acknowledge({
          id: `AwsSolutions::AwsSolutions-IAM5[Resource::${all(kind)}]`,
          reason: 'Nobody is this role without a session policy, which names what the grants of one principal give.',
        })
    }
    allow(resolve, this.role.roleArn, ['sts:AssumeRole', 'sts:TagSession'])
  }
}

/** Roles that a policy names, with `*` where it says `{principal}`. */
export const allowMskRoles = (resolve: IRole, roles: readonly string[]): void => {
  for (const role of roles) {
    allow(resolve, checkedRoleArn(role), ['sts:AssumeRole', 'sts:TagSession'])
    if (role.includes('*'))
      Validations.of(resolve).acknowledge({
        id: `AwsSolutions::AwsSolutions-IAM5[Resource::${role}]`,
        reason: 'A role for each principal; which there are the policy document says, and each has to trust resolve.',
      })
  }
}

/** Functions and roles of a wildcard alone would be anybody. */
const checkedRoleArn = (arn: string): string => {
  const isRole = /^arn:aws[a-z-]*:iam::\d{12}:role\/(?:[\w+=,.@-]+\/)*[\w+=,.@-]+(?:\*[\w+=,.@-]*)?$/.test(arn)
  if (Token.isUnresolved(arn) || isRole) return arn
  throw new Error(
    `\`mskRoles\` has \`${arn}\`; allowed is the ARN of a role, with one \`*\` for the principal after the start of its name`,
  )
}

/** The parts of its topics and groups are made from it, so it has to be known. */
const checkedIamClusterArn = (arn: string): string => {
  if (/^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[A-Za-z0-9-]+\/[0-9a-f-]{36}-s?\d+$/.test(arn)) return arn
  throw new Error(`\`mskIamClusters\` has \`${arn}\`; allowed is the ARN of a cluster, written out`)
}

const checkedClusterArn = (arn: string): string => {
  if (Token.isUnresolved(arn) || /^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[^/*]+\/[0-9a-f-]+$/.test(arn))
    return arn
  throw new Error(`an MSK cluster is \`${arn}\`; allowed is the ARN of a provisioned cluster`)
}
