// Reads orders from a channel until it has seen ten of its run, and commits what it read.
//
//   SWITCHBOARD_URL=https://switchboard.acme.com WORKLOAD_TOKEN_FILE=/var/run/secrets/tokens/switchboard node consume.ts
import { readFile } from 'node:fs/promises'
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import { openLease } from '@switchboard-kafka/client'
import { platformatic } from '@switchboard-kafka/client/platformatic'

const { SWITCHBOARD_URL = '', WORKLOAD_TOKEN_FILE = '', RUN = 'example' } = process.env
const created = 'kafka://payments.acme.com/orders/created'

const lease = await openLease({
  url: SWITCHBOARD_URL,
  token: () => readFile(WORKLOAD_TOKEN_FILE, 'utf8'),
  intent: { consume: [created] },
  onEvent: (event) => {
    if (event.type === 'waiting') console.error(`waiting: ${event.error.message}`)
  },
})
const kafka = platformatic(lease.connection())
const consumer = new Consumer({ ...kafka.consumer, deserializers: stringDeserializers })

let seen = 0
const stream = await consumer.consume({ ...kafka.consume, topics: [kafka.topic(created)] })
for await (const message of stream) {
  await message.commit()
  // others may write to this channel too, and a record need not have a key
  if (!message.key?.startsWith(`${RUN}-`)) continue
  seen += 1
  if (seen === 10) break
}
console.log(`read ${seen} orders from ${kafka.topic(created)}`)

await consumer.close()
lease.close()
