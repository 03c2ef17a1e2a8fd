import type { PropertyValue } from '../domain/profile.ts'
import { type ClientLogin, renderLibrdkafka } from './client-file.ts'
import type { ConnectionSettings } from './connection.ts'

type Settings = Readonly<Record<string, PropertyValue>>

/** The body of `200` on `GET /servicegw`. Its client puts the last three into one configuration of librdkafka. */
export type ServicegwAnswer = {
  /** Last segment of the asked channel -> topic. */
  readonly channel_mapping: Readonly<Record<string, string>>
  readonly connection: { readonly 'bootstrap.servers': string }
  readonly configuration: Settings
  readonly credentials: Settings
}

const isCredential = (name: string): boolean => /^(sasl\.|ssl\.|security\.protocol$)/.test(name)

/** The name under which the ancestor's answers have it; to librdkafka both are one setting. */
const ancestorNames: Readonly<Record<string, string>> = { 'sasl.mechanism': 'sasl.mechanisms' }

/** @param settings those of one role */
export const renderServicegw = (settings: ConnectionSettings, source: ClientLogin): ServicegwAnswer => {
  const { 'bootstrap.servers': bootstrap = '', ...rest } = renderLibrdkafka(settings, source)
  const entries = Object.entries(rest)
  return {
    channel_mapping: Object.fromEntries(
      Object.entries(settings.topics).map(([channel, topic]) => [channel.slice(channel.lastIndexOf('/') + 1), topic]),
    ),
    connection: { 'bootstrap.servers': String(bootstrap) },
    configuration: Object.fromEntries(entries.filter(([name]) => !isCredential(name))),
    credentials: Object.fromEntries(
      entries.filter(([name]) => isCredential(name)).map(([name, value]) => [ancestorNames[name] ?? name, value]),
    ),
  }
}
