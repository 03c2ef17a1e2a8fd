// Writes a few orders to a channel, without knowing a cluster, a topic or a password.
//
//   SWITCHBOARD_URL=https://switchboard.acme.com WORKLOAD_TOKEN_FILE=/var/run/secrets/tokens/switchboard node produce.ts
import { readFile } from 'node:fs/promises'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'

const { SWITCHBOARD_URL = '', WORKLOAD_TOKEN_FILE = '', RUN = 'example' } = process.env
const created = 'kafka://payments.acme.com/orders/created'

const lease = await openLease({
  url: SWITCHBOARD_URL,
  token: () => readFile(WORKLOAD_TOKEN_FILE, 'utf8'),
  intent: { produce: [created] },
})
const kafka = platformatic(lease.connection())
const producer = new Producer({ ...kafka.producer, serializers: stringSerializers })

const orders = Array.from({ length: 10 }, (_, index) => `${RUN}-${index}`)
await producer.send({
  messages: orders.map((order) => ({ topic: kafka.topic(created), key: order, value: JSON.stringify({ order }) })),
})
console.log(`wrote ${orders.length} orders to ${kafka.topic(created)}`)

await producer.close()
lease.close()
