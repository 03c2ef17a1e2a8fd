import { Duration } from 'aws-cdk-lib'
import { AccountRootPrincipal, type IPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'

export type OperatorRoleProps = { readonly operators?: IPrincipal | undefined }

/** What the `switchboard` command acts as. There is no admin API: whoever may assume this role is an operator. */
export class OperatorRole extends Construct {
  readonly role: Role

  constructor(scope: Construct, id: string, { operators = new AccountRootPrincipal() }: OperatorRoleProps) {
    super(scope, id)
    this.role = new Role(this, 'Role', {
      assumedBy: operators,
      description: 'The switchboard command acts as this role',
      maxSessionDuration: Duration.hours(1),
    })
  }
}
