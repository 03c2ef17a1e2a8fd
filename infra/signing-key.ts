import { RemovalPolicy, Validations } from 'aws-cdk-lib'
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'

export type SigningKeyProps = { readonly development: boolean }

/** Where our issuer's signing keys are kept: a secret that the deploy makes empty and rotate fills. */
export class SigningKey extends Construct {
  readonly secretArn: string
  private readonly key: Key

  constructor(scope: Construct, id: string, { development }: SigningKeyProps) {
    super(scope, id)
    const removalPolicy = development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN
    this.key = new Key(this, 'Key', {
      description: "Encrypts the signing keys of Switchboard's issuer",
      enableKeyRotation: true,
      removalPolicy,
    })
    // the L2 would generate a value, and this secret's first value is a key that only rotate may make
    const secret = new CfnSecret(this, 'Secret', {
      description: "The signing keys of Switchboard's issuer; written by rotate",
      kmsKeyId: this.key.keyArn,
    })
    secret.applyRemovalPolicy(removalPolicy)
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason: 'rotate rotates this secret itself: the next public key must be published an hour before it signs',
    })
    this.secretArn = secret.attrId
  }

  grantRead(grantee: IGrantable): void {
    this.grant(grantee, ['secretsmanager:GetSecretValue'], ['kms:Decrypt'])
  }

  grantReadAndWrite(grantee: IGrantable): void {
    this.grant(
      grantee,
      ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
      ['kms:Decrypt', 'kms:GenerateDataKey'],
    )
  }

  private grant(grantee: IGrantable, secretActions: string[], keyActions: string[]): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: secretActions, resources: [this.secretArn] }),
    )
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: keyActions, resources: [this.key.keyArn] }),
    )
  }
}
