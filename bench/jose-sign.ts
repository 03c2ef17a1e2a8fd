import { generateKeyPair, SignJWT } from 'jose'
import type { Batch } from './measure.ts'

/** One ES256 signature as jose makes it: what the figures of the hot path are held against, for it needs no machine's name. */
export const joseSign = async (times = 16): Promise<Batch> => {
  const { privateKey } = await generateKeyPair('ES256')
  return {
    times,
    run: async () => {
      for (let count = 0; count < times; count++)
        await new SignJWT({ sub: 'sb.service', lease: 'lease_00000000000000000000000000000000' })
          .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'JWT' })
          .sign(privateKey)
    },
  }
}
