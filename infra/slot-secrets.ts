import { ArnFormat, Aws, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type SlotSecretsProps = { readonly development: boolean }

/** Where the passwords of stored credentials live: secrets that rotate makes, under this name and this key. */
export class SlotSecrets extends Construct {
  readonly keyArn: string
  readonly #secrets: string

  constructor(scope: Construct, id: string, { development }: SlotSecretsProps) {
    super(scope, id)
    // the secrets outlive the stack as the tables do, and could be read no more without it
    const key = new Key(this, 'EncryptionKey', {
      description: 'Encrypts the passwords of Kafka users that Switchboard rotates',
      enableKeyRotation: true,
      removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      ...(development ? { pendingWindow: Duration.days(7) } : {}),
    })
    this.keyArn = key.keyArn
    this.#secrets = Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `switchboard/${Aws.STACK_NAME}/credentials/*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
  }

  /** Gives these actions on the secrets, and their key for these only through Secrets Manager and these secrets. */
  allow(grantee: IFunction, secretActions: readonly string[], keyActions: readonly string[]): void {
    allow(grantee, this.#secrets, secretActions)
    allow(grantee, this.keyArn, keyActions, {
      StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com` },
      StringLike: { 'kms:EncryptionContext:SecretARN': this.#secrets },
    })
    Validations.of(grantee.role ?? grantee).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:switchboard/<AWS::StackName>/credentials/*]',
      reason:
        'The policy document, not the deploy, says who has a credential on which cluster; their secrets share this prefix.',
    })
  }
}
