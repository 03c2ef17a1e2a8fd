import { createHmac } from 'node:crypto'
import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js'
import { createIamSessions } from '../shared/clusters/msk/iam-session.ts'
import { type IamSession, signMskToken } from '../shared/clusters/msk/iam-token.ts'
import type { Figure } from './figure.ts'
import { type Batch, interleave, median, medianRatio } from './measure.ts'

const times = 32
const rounds = 301
const warmUp = 100
const place = { partition: 'aws', region: 'eu-west-1' }
const lifeMs = 900_000

/** As long as those of STS are for a role with a session policy and tags. */
const session: IamSession = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjE//////////wEaCXVzLWVhc3Qt+/'.repeat(30),
  expiresAt: new Date(Date.now() + 12 * 3_600_000),
  aheadMs: 0,
}

const request = {
  role: 'arn:aws:iam::111122223333:role/switchboard-msk',
  principal: 'orders-api',
  cluster: 'analytics',
  policy: JSON.stringify({ Version: '2012-10-17', Statement: 'x'.repeat(1_900) }),
}

/** Another second each time: no token is made twice. */
const seconds = (): (() => Date) => {
  let at = Date.now()
  return () => {
    at += 1_000
    return new Date(at)
  }
}

/** What resolve does for a connection whose session it has. */
const ours = (): Batch => {
  const sessions = createIamSessions(async () => session)
  const next = seconds()
  return {
    times,
    run: async () => {
      for (let count = 0; count < times; count++) {
        const now = next()
        const until = new Date(now.getTime() + lifeMs)
        if (signMskToken(await sessions(request, until), place, now, until).length < 1_000) throw new Error('no token')
      }
    },
  }
}

/** The five HMACs of a signature, the last one over what is to be signed, and nothing else of it. */
const bareChain = (): Batch => {
  const next = seconds()
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return {
    times,
    run: () => {
      for (let count = 0; count < times; count++) {
        const time = next()
          .toISOString()
          .replace(/[-:]|\.\d{3}/g, '')
        const day = time.slice(0, 8)
        const key = [place.region, 'kafka-cluster', 'aws4_request'].reduce(
          hmac,
          hmac(`AWS4${session.secretAccessKey}`, day),
        )
        const toSign = `AWS4-HMAC-SHA256\n${time}\n${day}/${place.region}/kafka-cluster/aws4_request\n${'0'.repeat(64)}`
        if (hmac(key, toSign).toString('hex').length !== 64) throw new Error('no signature')
      }
    },
  }
}

/** AWS's own signer, with the same session. */
const signerOfAws = (): Batch => ({
  times,
  run: async () => {
    for (let count = 0; count < times; count++) {
      const { token } = await generateAuthTokenFromCredentialsProvider({
        region: place.region,
        awsCredentialsProvider: async () => ({ ...session, expiration: session.expiresAt }),
      })
      if (token.length < 1_000) throw new Error('no token')
    }
  },
})

export const measure = async (): Promise<readonly Figure[]> => {
  const cpu = await interleave({ ours: ours(), bareChain: bareChain(), signerOfAws: signerOfAws() }, { rounds, warmUp })
  return [
    { name: 'msk-iam token of a session that is kept', value: median(cpu.ours), unit: 'us' },
    { name: 'bare SigV4 chain of HMACs by node:crypto', value: median(cpu.bareChain), unit: 'us' },
    { name: "token by AWS's own signer", value: median(cpu.signerOfAws), unit: 'us' },
    { name: 'msk-iam token / bare SigV4 chain', value: medianRatio(cpu.ours, cpu.bareChain), unit: 'x', limit: 2 },
    { name: "msk-iam token / AWS's own signer", value: medianRatio(cpu.ours, cpu.signerOfAws), unit: 'x', limit: 1 },
  ]
}
