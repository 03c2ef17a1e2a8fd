import { builtInProfiles, type Profile } from '../shared/domain/profile.ts'
import { renderJavaProperties, renderLibrdkafka, type TokenSource } from '../shared/http/client-file.ts'
import type { ConnectionSettings } from '../shared/http/connection.ts'
import type { Figure } from './figure.ts'
import { joseSign } from './jose-sign.ts'
import { type Batch, interleave, median, medianRatio } from './measure.ts'

const times = 256
const rounds = 101
const warmUp = 40

const certificate = `-----BEGIN CERTIFICATE-----\n${`${'MIIBszCCAVmgAwIBAgIUQ2'.repeat(3).slice(0, 64)}\n`.repeat(10)}-----END CERTIFICATE-----\n`

const settingsOf = ({ role, properties }: Profile): ConnectionSettings => ({
  cluster: { name: 'main', provider: 'kafka' },
  topics: { 'kafka://acme/orders/created': 'orders.created' },
  properties: {
    'bootstrap.servers': 'kafka-1.acme.com:9093,kafka-2.acme.com:9093,kafka-3.acme.com:9093',
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'OAUTHBEARER',
    'client.id': 'orders-api-7f9c',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': certificate,
  },
  [role]: properties,
})

/** Every built-in profile in turn, with a private authority: the longest files there are. */
const renders = (render: (settings: ConnectionSettings) => string): Batch => {
  const all = builtInProfiles.map(settingsOf)
  let at = 0
  return {
    times,
    run: () => {
      for (let count = 0; count < times; count++) {
        const settings = all[at++ % all.length]
        if (settings === undefined || !render(settings).includes('orders-api-7f9c')) throw new Error('it has no client')
      }
    },
  }
}

export const measure = async (): Promise<readonly Figure[]> => {
  const source: TokenSource = {
    kind: 'client_credentials',
    tokenEndpointUrl: 'https://switchboard.acme.com/v1/token?instance=orders-api-7f9c',
    scope: 'kafka:main',
    clientId: 'legacy-billing',
    clientSecret: 'q3Zt0m5pN8Yb1xWc7rVd2sKf9uHg4jLe6aTi',
  }
  const cpu = await interleave(
    {
      sign: await joseSign(),
      java: renders((settings) => renderJavaProperties(settings, source)),
      librdkafka: renders((settings) => JSON.stringify(renderLibrdkafka(settings, source))),
    },
    { rounds, warmUp },
  )
  return (['java', 'librdkafka'] as const).flatMap((family) => [
    { name: `file of a ${family} client`, value: median(cpu[family]), unit: 'us' },
    {
      name: `file of a ${family} client / jose ES256 sign`,
      value: medianRatio(cpu[family], cpu.sign),
      unit: 'x',
      limit: 0.3,
    },
  ])
}
