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
}: ClusterConfig): string => {
  const address = (port: number) => `127.0.0.1:${port}`
  const listeners = {
    INSIDE: address(ports.inside),
    OUTSIDE: address(ports.outside),
    INTERNAL: address(ports.internal),
    CONTROLLER: address(ports.controller),
  }
  const list = (entries: readonly (readonly [string, string])[]) =>
    entries.map(([listener, value]) => `${listener}://${value}`).join(',')
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${listeners.CONTROLLER}`,
    listeners: list(Object.entries(listeners)),
    'advertised.listeners': list(Object.entries(listeners).filter(([listener]) => listener !== 'CONTROLLER')),
    'listener.security.protocol.map':
      'INSIDE:SASL_PLAINTEXT,OUTSIDE:SASL_SSL,INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    ...plainListener('internal', passwords.broker, { broker: passwords.broker, admin: passwords.admin }),
    ...plainListener('controller', passwords.broker, { broker: passwords.broker }),
    ...clientListener('inside', maxReauthMs),
    ...clientListener('outside', maxReauthMs),
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
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': 'User:admin;User:broker',
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
