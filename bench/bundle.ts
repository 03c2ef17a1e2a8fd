import type { ResolveEnv } from '../functions/resolve/env.ts'
import { loadedWhenNeeded, nodeOptions } from '../infra/bundling.ts'
import { bundle, withFolder } from './bundler.ts'
import { messageFrom } from './child.ts'
import type { Figure } from './figure.ts'
import { median, medianRatio } from './measure.ts'

const rounds = 21
const kafkaClients = /node_modules\/(@platformatic\/kafka|kafkajs|@confluentinc|node-rdkafka)\//

/** What resolve needs to load; nothing of it is called. */
const env: ResolveEnv & Readonly<Record<`AWS_${string}`, string>> = {
  STACK_NAME: 'Switchboard',
  ISSUER_URL: 'https://switchboard.acme.com',
  DIRECTORY_TABLE: 'directory',
  LEASES_TABLE: 'leases',
  ACCESS_TABLE: 'access',
  CREDENTIALS_TABLE: 'credentials',
  QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/work.fifo',
  SIGNING_KEY_SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:key',
  SIGNING_KEY_TIMES: '{}',
  DEVELOPMENT: 'false',
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
}

export const measure = (): Promise<readonly Figure[]> =>
  withFolder(async (folder) => {
    const resolve = await bundle('functions/resolve/index.ts', folder)
    const runner = await bundle('bench/cold-start/first-event.ts', folder)
    // the clients as whoever uses them would bundle them: what resolve leaves out of them is its own gain
    const files = {
      empty: (await bundle('bench/cold-start/empty.ts', folder)).file,
      clients: (await bundle('bench/cold-start/clients.ts', folder, { plain: true })).file,
      resolve: resolve.file,
    }
    const cpu: Record<keyof typeof files, number[]> = { empty: [], clients: [], resolve: [] }
    const wall: Record<keyof typeof files, number[]> = { empty: [], clients: [], resolve: [] }
    for (let round = 0; round < rounds + 1; round++)
      for (const name of ['empty', 'clients', 'resolve'] as const) {
        const started = await messageFrom<{ cpuMs: number; wallMs: number }>(runner.file, {
          args: [files[name]],
          env,
          execArgv: nodeOptions.split(' '),
        })
        // the first round fills the caches of the disk
        if (round === 0) continue
        cpu[name].push(started.cpuMs)
        wall[name].push(started.wallMs)
      }
    return [
      // 60 KB more than when it knew nothing of IAM and of Confluent Cloud
      { name: 'resolve bundle', value: resolve.bytes / 1000, unit: 'KB', limit: 560 },
      {
        name: 'resolve bundle, files of Kafka clients',
        value: resolve.inputs.filter((input) => kafkaClients.test(input)).length,
        unit: 'files',
        limit: 0,
      },
      {
        name: 'resolve bundle, files of what is loaded when it is needed',
        value: resolve.inputs.filter((input) => loadedWhenNeeded.some((name) => input.includes(name))).length,
        unit: 'files',
        limit: 0,
      },
      { name: 'cold start, empty bundle', value: median(cpu.empty), unit: 'ms CPU' },
      { name: 'cold start, AWS clients only', value: median(cpu.clients), unit: 'ms CPU' },
      { name: 'cold start, resolve', value: median(cpu.resolve), unit: 'ms CPU' },
      {
        name: 'cold start, resolve / AWS clients only',
        value: medianRatio(cpu.resolve, cpu.clients),
        unit: 'x',
        // 5 % more than when it knew nothing of them, and what another run makes of the same
        limit: 1.12,
      },
      { name: 'cold start, resolve, by the clock', value: median(wall.resolve), unit: 'ms' },
      { name: 'cold start, AWS clients only, by the clock', value: median(wall.clients), unit: 'ms' },
    ]
  })
