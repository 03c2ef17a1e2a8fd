import type { KafkaCluster, StackState } from '../../local/state.ts'

const aCluster = (name: string, inside: string, outside: string): KafkaCluster => ({
  name,
  inside,
  outside,
  admin: {
    username: 'admin',
    password: `password-of-${name}`,
    mechanism: 'SCRAM-SHA-512',
    secretArn: `arn:aws:secretsmanager:eu-west-1:000000000000:secret:switchboard/Switchboard/clusters/${name}-abc123`,
  },
})

const confluentSecret = (name: string): string =>
  `arn:aws:secretsmanager:eu-west-1:000000000000:secret:switchboard/Switchboard/clusters/confluent-${name}-def456`

/** A stack that is up, as its state file tells it. */
export const aStack = (): StackState => ({
  version: 1,
  status: 'ready',
  runDirectory: '/project/.local/run',
  stateFile: '/project/.local/run/state.json',
  logDirectory: '/project/.local/run/logs',
  policyFile: '/project/.local/run/policy.yaml',
  caFile: '/project/.local/run/ca.pem',
  owner: { pid: 100, startedAt: 'boot/1' },
  processes: [
    {
      name: 'front',
      pid: 101,
      startedAt: 'boot/2',
      command: { file: 'node', args: ['front-server.ts'], env: { FRONT_PORT: '20001' }, cwd: '/project' },
      log: '/project/.local/run/logs/front.log',
    },
  ],
  aws: {
    endpointUrl: 'https://127.0.0.1:20000',
    region: 'eu-west-1',
    accountId: '000000000000',
    accessKeyId: 'test',
    secretAccessKey: 'test',
  },
  switchboard: {
    url: 'http://127.0.0.1:20001',
    stackName: 'Switchboard',
    apiId: '0a1b2c3d',
    outputs: { ApiUrl: 'https://0a1b2c3d.execute-api.127.0.0.1:20000' },
  },
  issuer: { url: 'http://127.0.0.1:20002', audience: 'switchboard' },
  clusters: {
    payments: aCluster('payments', '127.0.0.1:20003', '127.0.0.1:20004'),
    analytics: { ...aCluster('analytics', '127.0.0.1:20005', '127.0.0.1:20006'), iam: '127.0.0.1:20012' },
  },
  msk: {
    url: 'http://127.0.0.1:20007',
    clusterArn: 'arn:aws:kafka:eu-west-1:000000000000:cluster/analytics/00000000-0000-0000-0000-000000000000-1',
  },
  confluent: {
    url: 'http://127.0.0.1:20008',
    bootstrap: '127.0.0.1:9195',
    registryUrl: 'http://127.0.0.1:20009',
    secrets: {
      cloud: confluentSecret('cloud'),
      kafka: confluentSecret('kafka'),
      registry: confluentSecret('registry'),
    },
  },
  clients: { 'legacy-billing': 'legacy-billing:secret-of-legacy-billing' },
})
