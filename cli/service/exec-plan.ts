import { join } from 'node:path'
import type { Connection } from '@switchboard-kafka/client'
import { type ClientLogin, renderJavaProperties, renderLibrdkafka } from '../../shared/http/client-file.ts'
import type { Environment, Role } from './arguments.ts'
import { appendJavaOptions, javaOptionsIn, registryClientOf, registryUserOf, settingsFor } from './client-files.ts'

/** Everything that `exec` gives a command, before it is anywhere. */
export type ExecPlan = {
  readonly files: readonly { readonly path: string; readonly text: string }[]
  /** Added to the environment of the command. */
  readonly variables: Readonly<Record<string, string>>
}

const variablePrefix = { producer: 'SWITCHBOARD_PRODUCER', consumer: 'SWITCHBOARD_CONSUMER' } as const

const filesOf = (folder: string, role: Role) => ({
  properties: join(folder, `${role}.properties`),
  librdkafka: join(folder, `${role}.librdkafka.json`),
})

const variablesFor = (prefix: string, files: ReturnType<typeof filesOf>): Readonly<Record<string, string>> => ({
  [`${prefix}_PROPERTIES_FILE`]: files.properties,
  [`${prefix}_LIBRDKAFKA_FILE`]: files.librdkafka,
})

/** What lies in the folder and stands in the environment; the plain names are there when only one role is. */
export const planExec = (
  connection: Connection,
  roles: readonly Role[],
  source: ClientLogin,
  folder: string,
  kafkaOpts: string | undefined,
): ExecPlan => {
  const channels = join(folder, 'channels.json')
  const { topics, patterns, properties } = connection
  const [topic, ...otherTopics] = Object.values(topics)
  const [role, ...otherRoles] = roles
  const clients = roles.map((each) => {
    const settings = settingsFor(connection, each)
    return {
      files: filesOf(folder, each),
      properties: renderJavaProperties(settings, source, registryUserOf(connection)),
      librdkafka: `${JSON.stringify(renderLibrdkafka(settings, source), null, 2)}\n`,
    }
  })
  const options = [...new Set(clients.flatMap((client) => javaOptionsIn(client.properties)))]
  const registry = registryClientOf(connection, source)
  const registryFile = join(folder, 'schema-registry.json')
  return {
    files: [
      ...clients.flatMap((client) => [
        { path: client.files.properties, text: client.properties },
        { path: client.files.librdkafka, text: client.librdkafka },
      ]),
      { path: channels, text: `${JSON.stringify({ topics, patterns }, null, 2)}\n` },
      ...(registry === undefined ? [] : [{ path: registryFile, text: `${JSON.stringify(registry, null, 2)}\n` }]),
    ],
    variables: {
      ...Object.assign({}, ...roles.map((each) => variablesFor(variablePrefix[each], filesOf(folder, each)))),
      ...(role !== undefined && otherRoles.length === 0 ? variablesFor('SWITCHBOARD', filesOf(folder, role)) : {}),
      SWITCHBOARD_CHANNELS_FILE: channels,
      ...(registry === undefined ? {} : { SWITCHBOARD_SCHEMA_REGISTRY_FILE: registryFile }),
      SWITCHBOARD_BOOTSTRAP_SERVERS: String(properties['bootstrap.servers'] ?? ''),
      ...(topic !== undefined && otherTopics.length === 0 ? { SWITCHBOARD_TOPIC: topic } : {}),
      KAFKA_OPTS: appendJavaOptions(kafkaOpts, options),
      SWITCHBOARD_JAVA_OPTS: appendJavaOptions(undefined, options),
    },
  }
}

/** The command has files; what the files are made of would only lie around in its environment and its dumps. */
const secretVariables = ['SWITCHBOARD_TOKEN', 'SWITCHBOARD_CLIENT_SECRET']

/** What an `exec` around this one set must not be taken for ours. */
const isOfExec = (name: string): boolean =>
  /^SWITCHBOARD_((PRODUCER_|CONSUMER_)?(PROPERTIES|LIBRDKAFKA)_FILE|CHANNELS_FILE|SCHEMA_REGISTRY_FILE|TOPIC)$/.test(
    name,
  )

export const commandEnvironment = (env: Environment, { variables }: ExecPlan): Environment => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariables.includes(name) && !isOfExec(name))),
  ...variables,
})
