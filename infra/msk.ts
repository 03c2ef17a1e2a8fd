import { ArnFormat, Aws, Stack, Token, Validations } from 'aws-cdk-lib'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
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

const checkedClusterArn = (arn: string): string => {
  if (Token.isUnresolved(arn) || /^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[^/*]+\/[0-9a-f-]+$/.test(arn))
    return arn
  throw new Error(`an MSK cluster is \`${arn}\`; allowed is the ARN of a provisioned cluster`)
}
