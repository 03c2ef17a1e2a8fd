import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, ProjectionType, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'

export type TablesProps = { readonly development: boolean }

/** The state that is ours: what is in force, was handed out and was found, what principals have on clusters and log in with. */
export class Tables extends Construct {
  readonly directory: TableV2
  readonly leases: TableV2
  readonly access: TableV2
  readonly credentials: TableV2
  readonly inventory: TableV2

  constructor(scope: Construct, id: string, { development }: TablesProps) {
    super(scope, id)
    const kept = {
      encryption: TableEncryptionV2.awsManagedKey(),
      removalPolicy: development ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      deletionProtection: !development,
    }
    const recoverable = { pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true } }

    this.directory = new TableV2(this, 'Directory', {
      ...kept,
      ...recoverable,
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
    })
    // no point-in-time recovery: a restored lease would be one that its client has renewed or that has ended
    this.leases = new TableV2(this, 'Leases', {
      ...kept,
      partitionKey: { name: 'principal', type: AttributeType.STRING },
      sortKey: { name: 'lease', type: AttributeType.STRING },
      timeToLiveAttribute: 'ttl',
    })
    this.access = new TableV2(this, 'Access', {
      ...kept,
      ...recoverable,
      partitionKey: { name: 'cluster', type: AttributeType.STRING },
      sortKey: { name: 'principal', type: AttributeType.STRING },
    })
    // the next crawl finds what there is now, but not what leases of before were for
    this.inventory = new TableV2(this, 'Inventory', {
      ...kept,
      ...recoverable,
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
    })
    this.credentials = new TableV2(this, 'Credentials', {
      ...kept,
      ...recoverable,
      partitionKey: { name: 'cluster', type: AttributeType.STRING },
      sortKey: { name: 'principal', type: AttributeType.STRING },
      globalSecondaryIndexes: [
        {
          indexName: 'due',
          partitionKey: { name: 'shard', type: AttributeType.STRING },
          sortKey: { name: 'dueAt', type: AttributeType.STRING },
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
    })
  }
}
