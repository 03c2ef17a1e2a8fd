import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'

type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>

/**
 * Gives exactly these actions on exactly this resource. The `grantX` methods of CDK give bundles that are wider than
 * what the code calls.
 */
export const allow = (grantee: IGrantable, resource: string, actions: readonly string[], conditions?: Condition) => {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({
      actions: [...actions],
      resources: [resource],
      ...(conditions === undefined ? {} : { conditions }),
    }),
  )
}
