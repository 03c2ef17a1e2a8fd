import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'

export type TablesProps = { readonly development: boolean }

/** What Switchboard remembers; `docs/storage.md` has every item. */
export class Tables extends Construct {
  readonly directory: TableV2
  readonly leases: TableV2
  readonly access: TableV2

  constructor(scope: Construct, id: string, { development }: TablesProps) {
    super(scope, id)
    const kept = {
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: !development,
      removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    }
    this.directory = new TableV2(this, 'Directory', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      ...kept,
    })
    this.leases = new TableV2(this, 'Leases', {
      partitionKey: { name: 'principal', type: AttributeType.STRING },
      sortKey: { name: 'lease', type: AttributeType.STRING },
      timeToLiveAttribute: 'ttl',
      ...kept,
    })
    this.access = new TableV2(this, 'Access', {
      partitionKey: { name: 'cluster', type: AttributeType.STRING },
      sortKey: { name: 'principal', type: AttributeType.STRING },
      ...kept,
    })
  }
}
