import { confluentIds } from './confluent/process.ts'
import { awsEnvironment } from './emulator.ts'
import type { KafkaCluster, StackState } from './state.ts'

const clusterLines = ({ name, inside, outside, iam, admin }: KafkaCluster): Record<string, string> => {
  const prefix = `KAFKA_${name.toUpperCase()}`
  return {
    [`${prefix}_BOOTSTRAP`]: inside,
    [`${prefix}_BOOTSTRAP_OUTSIDE`]: outside,
    ...(iam !== undefined && { [`${prefix}_BOOTSTRAP_IAM`]: iam }),
    [`${prefix}_ADMIN_USERNAME`]: admin.username,
    [`${prefix}_ADMIN_PASSWORD`]: admin.password,
    [`${prefix}_ADMIN_SECRET_ARN`]: admin.secretArn,
  }
}

/** The running stack as `KEY=VALUE` lines, as `env` and env files have them. */
export const renderEnvLines = (state: StackState): string[] => {
  const { payments, analytics } = state.clusters
  const values: Record<string, string> = {
    SWITCHBOARD_URL: state.switchboard.url,
    SWITCHBOARD_STACK: state.switchboard.stackName,
    ISSUER_URL: state.issuer.url,
    ISSUER_AUDIENCE: state.issuer.audience,
    POLICY_FILE: state.policyFile,
    STATE_FILE: state.stateFile,
    ...awsEnvironment(state.aws, state.caFile),
    AWS_ENDPOINT_URL_KAFKA: state.msk.url,
    MSK_ENDPOINT: state.msk.url,
    MSK_CLUSTER_ARN: state.msk.clusterArn,
    CONFLUENT_ENDPOINT: state.confluent.url,
    CONFLUENT_CLUSTER_ID: confluentIds.kafka,
    CONFLUENT_BOOTSTRAP: state.confluent.bootstrap,
    CONFLUENT_REGISTRY_ID: confluentIds.registry,
    CONFLUENT_CLOUD_SECRET_ARN: state.confluent.secrets.cloud,
    CONFLUENT_CLUSTER_SECRET_ARN: state.confluent.secrets.kafka,
    CONFLUENT_REGISTRY_SECRET_ARN: state.confluent.secrets.registry,
    SCHEMA_REGISTRY_URL: state.confluent.registryUrl,
    AWS_ACCOUNT_ID: state.aws.accountId,
    KAFKA_CA_FILE: state.caFile,
    // The same user on both clusters, and one password for it: these two lines fit either.
    KAFKA_ADMIN_USERNAME: payments.admin.username,
    KAFKA_ADMIN_PASSWORD: payments.admin.password,
    ...clusterLines(payments),
    ...clusterLines(analytics),
  }
  return Object.entries(values).map(([key, value]) => `${key}=${value}`)
}
