/** What one single-node cluster is told. */
export type ClusterConfig = {
  readonly name: string
  readonly dataDirectory: string
  readonly keystoreFile: string
  readonly truststoreFile: string
  readonly ports: {
    readonly inside: number
    readonly outside: number
    readonly internal: number
    readonly controller: number
  }
  readonly passwords: { readonly broker: string; readonly admin: string }
  /** Our issuer: whose tokens count, and only those made for this very cluster. */
  readonly issuerUrl: string
  /**
   * How long a connection lives without proving again who it is. It bounds what a deleted SCRAM user's open connection
   * can still do; a token bounds its connection by its own end anyway.
   * @default 600_000
   */
  readonly maxReauthMs?: number
  /**
   * How often the broker reads our keys; what a test scales together with the times of the signing keys.
   * @default Kafka's own hour
   */
  readonly jwksRefreshMs?: number
  /**
   * One more listener, where IAM decides as on the MSK cluster of this ARN; its classes have to be on the class path.
   * @default - none
   */
  readonly mskIam?: MskIamListener
  /**
   * One more listener, where whoever comes in is an identity pool as on Confluent Cloud, or an API key; its classes have
   * to be on the class path.
   * @default - none
   */
  readonly confluent?: ConfluentListener
}

export type ConfluentListener = {
  readonly port: number
  /** `lkc-...` */
  readonly clusterId: string
  /** Where the simulated control plane notes identity pools. */
  readonly poolsFile: string
  /** Where it notes API keys. */
  readonly keysFile: string
  /** Of the cluster's owner, who may do everything. */
  readonly key: { readonly key: string; readonly secret: string }
  /** Confluent Cloud leaves the audience to the pools' filters; Kafka wants to be told. */
  readonly audiences: readonly string[]
}

export type MskIamListener = {
  readonly port: number
  readonly clusterArn: string
  /** Where the emulator's launcher notes sessions. */
  readonly sessionsFile: string
}

const oauth = 'org.apache.kafka.common.security.oauthbearer'
const plainLogin = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const scramLogin = 'org.apache.kafka.common.security.scram.ScramLoginModule'

export const jwksUrl = (issuerUrl: string): string => `${issuerUrl}/.well-known/jwks.json`
/** Kafka reads keys only from where the JVM may; no line of the properties can say it. */
export const allowedUrlsOption = (issuerUrl: string): string =>
  `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl(issuerUrl)}`
export const clusterAudience = (issuerUrl: string, cluster: string): string => `${issuerUrl}/clusters/${cluster}`

const clientListener = (name: string, maxReauthMs: number): Record<string, string> => {
  const prefix = `listener.name.${name}`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: 'OAUTHBEARER,SCRAM-SHA-512',
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: `${scramLogin} required;`,
    [`${prefix}.scram-sha-512.connections.max.reauth.ms`]: String(maxReauthMs),
    [`${prefix}.oauthbearer.sasl.jaas.config`]: `${oauth}.OAuthBearerLoginModule required;`,
    [`${prefix}.oauthbearer.sasl.server.callback.handler.class`]: `${oauth}.OAuthBearerValidatorCallbackHandler`,
    [`${prefix}.oauthbearer.connections.max.reauth.ms`]: String(maxReauthMs),
  }
}

const simulated = 'local.switchboard.msk'
const simulatedConfluent = 'local.switchboard.confluent'

/** Whoever comes in there has no user and no ACL: its session's policies decide. */
const mskIamListener = (name: string, maxReauthMs: number): Record<string, string> => {
  const prefix = `listener.name.${name}`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
    [`${prefix}.oauthbearer.sasl.jaas.config`]: `${oauth}.OAuthBearerLoginModule required;`,
    [`${prefix}.oauthbearer.sasl.server.callback.handler.class`]: `${simulated}.SimulatedMskLogin`,
    [`${prefix}.oauthbearer.connections.max.reauth.ms`]: String(maxReauthMs),
    [`${prefix}.principal.builder.class`]: `${simulated}.SimulatedMskPrincipalBuilder`,
  }
}

const confluentListener = (
  name: string,
  maxReauthMs: number,
  { key, audiences }: ConfluentListener,
): Record<string, string> => {
  const prefix = `listener.name.${name}`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: 'OAUTHBEARER,PLAIN',
    [`${prefix}.oauthbearer.sasl.jaas.config`]: `${oauth}.OAuthBearerLoginModule required;`,
    [`${prefix}.oauthbearer.sasl.server.callback.handler.class`]: `${simulatedConfluent}.SimulatedConfluentLogin`,
    [`${prefix}.oauthbearer.connections.max.reauth.ms`]: String(maxReauthMs),
    [`${prefix}.oauthbearer.sasl.oauthbearer.expected.audience`]: audiences.join(','),
    [`${prefix}.plain.sasl.jaas.config`]: `${plainLogin} required user_${key.key}="${key.secret}";`,
    [`${prefix}.plain.sasl.server.callback.handler.class`]: `${simulatedConfluent}.SimulatedConfluentKeyLogin`,
    [`${prefix}.plain.connections.max.reauth.ms`]: String(maxReauthMs),
    [`${prefix}.principal.builder.class`]: `${simulatedConfluent}.SimulatedConfluentPrincipalBuilder`,
  }
}

const plainListener = (name: string, broker: string, users: Readonly<Record<string, string>>) => {
  const known = Object.entries(users).map(([user, password]) => ` user_${user}="${password}"`)
  return {
    [`listener.name.${name}.sasl.enabled.mechanisms`]: 'PLAIN',
    [`listener.name.${name}.plain.sasl.jaas.config`]: `${plainLogin} required username="broker" password="${broker}"${known.join('')};`,
  }
}

/** The whole server.properties: KRaft in one process, nothing allowed that no ACL allows. */
export const renderServerProperties = ({
  name,
  dataDirectory,
  keystoreFile,
  truststoreFile,
  ports,
  passwords,
  issuerUrl,
  maxReauthMs = 600_000,
  jwksRefreshMs,
  mskIam,
  confluent,
}: ClusterConfig): string => {
  const address = (port: number) => `127.0.0.1:${port}`
  const listeners = {
    INSIDE: address(ports.inside),
    OUTSIDE: address(ports.outside),
    ...(mskIam !== undefined && { IAM: address(mskIam.port) }),
    ...(confluent !== undefined && { CONFLUENT: address(confluent.port) }),
    INTERNAL: address(ports.internal),
    CONTROLLER: address(ports.controller),
  }
  const list = (entries: readonly (readonly [string, string])[]) =>
    entries.map(([listener, value]) => `${listener}://${value}`).join(',')
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    // Kafka 4.3.1 forgets all SCRAM users when it starts from a metadata log without a snapshot and the first of the names in its
    // map was removed (ScramDelta.apply): an hour, its default, is longer than these brokers live
    'metadata.log.max.snapshot.interval.ms': '10000',
    'controller.quorum.voters': `1@${listeners.CONTROLLER}`,
    listeners: list(Object.entries(listeners)),
    'advertised.listeners': list(Object.entries(listeners).filter(([listener]) => listener !== 'CONTROLLER')),
    'listener.security.protocol.map': Object.keys(listeners)
      .map(
        (listener) =>
          `${listener}:${['OUTSIDE', 'IAM', 'CONFLUENT'].includes(listener) ? 'SASL_SSL' : 'SASL_PLAINTEXT'}`,
      )
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    ...plainListener('internal', passwords.broker, { broker: passwords.broker, admin: passwords.admin }),
    ...plainListener('controller', passwords.broker, { broker: passwords.broker }),
    ...clientListener('inside', maxReauthMs),
    ...clientListener('outside', maxReauthMs),
    ...(mskIam !== undefined && {
      ...mskIamListener('iam', maxReauthMs),
      'simulated.msk.cluster.arn': mskIam.clusterArn,
      'simulated.msk.sessions.file': mskIam.sessionsFile,
    }),
    ...(confluent !== undefined && {
      ...confluentListener('confluent', maxReauthMs, confluent),
      'simulated.confluent.cluster.id': confluent.clusterId,
      'simulated.confluent.pools.file': confluent.poolsFile,
      'simulated.confluent.keys.file': confluent.keysFile,
    }),
    'sasl.oauthbearer.jwks.endpoint.url': jwksUrl(issuerUrl),
    ...(jwksRefreshMs !== undefined && { 'sasl.oauthbearer.jwks.endpoint.refresh.ms': String(jwksRefreshMs) }),
    'sasl.oauthbearer.expected.issuer': issuerUrl,
    'sasl.oauthbearer.expected.audience': clusterAudience(issuerUrl, name),
    'sasl.oauthbearer.sub.claim.name': 'sub',
    // Names the validator, so that another default in a later Kafka cannot take the checks away.
    'sasl.oauthbearer.jwt.validator.class': `${oauth}.BrokerJwtValidator`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystoreFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': truststoreFile,
    'authorizer.class.name':
      mskIam === undefined
        ? 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
        : `${simulated}.SimulatedMskAuthorizer`,
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': ['admin', 'broker', ...(confluent === undefined ? [] : [confluent.key.key])]
      .map((user) => `User:${user}`)
      .join(';'),
    'auto.create.topics.enable': 'false',
    'log.dirs': dataDirectory,
    'num.partitions': '3',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    'log.cleaner.dedupe.buffer.size': '4194304',
  }
  return `${Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}`)
    .join('\n')}\n`
}
