import { Aws, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { allow } from './permissions.ts'

export type SigningKeyProps = { readonly development: boolean }

/** Where our issuer's private keys live. The deploy makes it empty; only rotate ever writes a value. */
export class SigningKey extends Construct {
  readonly secretArn: string
  readonly #encryptionKey: Key

  constructor(scope: Construct, id: string, { development }: SigningKeyProps) {
    super(scope, id)
    const removalPolicy = development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN

    this.#encryptionKey = new Key(this, 'EncryptionKey', {
      description: 'Encrypts the signing keys of the Switchboard issuer',
      enableKeyRotation: true,
      removalPolicy,
      ...(development ? { pendingWindow: Duration.days(7) } : {}),
    })
    // the L2 Secret always generates a value, which would then be a key that nobody checked
    const secret = new CfnSecret(this, 'Secret', {
      description: 'Signing keys of the Switchboard issuer; written by the rotate function only',
      kmsKeyId: this.#encryptionKey.keyArn,
    })
    secret.applyRemovalPolicy(removalPolicy)
    this.secretArn = secret.attrId

    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason:
        'A broker refuses a new key id once, so the next public key is published an hour before it signs; the four ' +
        'steps of Secrets Manager rotation cannot wait between two of them. The rotate function owns the value.',
    })
  }

  /** Gives these actions on the secret, and its encryption key for these only through Secrets Manager and this secret. */
  allow(grantee: IGrantable, secretActions: readonly string[], keyActions: readonly string[]): void {
    allow(grantee, this.secretArn, secretActions)
    allow(grantee, this.#encryptionKey.keyArn, keyActions, {
      StringEquals: {
        'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com`,
        'kms:EncryptionContext:SecretARN': this.secretArn,
      },
    })
  }
}
