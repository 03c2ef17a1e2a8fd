import { generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import type { Figure } from './figure.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { interleave, median, medianRatio } from './measure.ts'
import { ask, bodyOf, createReadyAccessStore, eventOf, type Send, startResolveHandler, teamOf } from './resolve-handler.ts'

const callers = 500
const times = 200
const rounds = 25
const warmUp = 10

/** Sends and looks at the status only, so that the figure is that of the handler. */
const sendAll = async (send: Send, events: readonly (() => Parameters<Send>[0])[], status: number): Promise<void> => {
  for (const event of events) {
    const { statusCode } = await send(event())
    if (statusCode !== status) throw new Error(`resolve answered \`${statusCode}\`, expected \`${status}\``)
  }
}

export const measure = async (): Promise<readonly Figure[]> => {
  const issuer = await startLoopbackIssuer()
  const send = await startResolveHandler(issuer.issuer, {
    access: await createReadyAccessStore(callers),
    leases: createMemoryLeaseStore(),
  })
  const mint = (caller: number): string => issuer.mint({ sub: `service-${caller}`, team: teamOf(caller) })
  const indices = Array.from({ length: times }, (_, at) => at)

  // made beforehand: minting is no part of the figures
  const fresh = Array.from({ length: warmUp + rounds }, (_, round) =>
    indices.map((at) => {
      const token = mint(at)
      const body = bodyOf({ caller: at, instance: `first-${round}-${at}` })
      return () => eventOf(token, body)
    }),
  )
  const strangers = Array.from({ length: warmUp + rounds }, () => indices.map(mint))
  const seen = await Promise.all(
    indices.map(async (at) => {
      const token = mint(at)
      const { lease, etag } = await ask(send, { token, caller: at, instance: `seen-${at}` })
      const body = bodyOf({ caller: at, instance: `seen-${at}`, lease })
      return { renewal: () => eventOf(token, body), unchanged: () => eventOf(token, body, etag) }
    }),
  )
  const renewals = seen.map(({ renewal }) => renewal)
  const unchanged = seen.map((each) => each.unchanged)

  const { privateKey } = await generateKeyPair('ES256')
  const cpu = await interleave(
    {
      sign: {
        times,
        run: async () => {
          for (let at = 0; at < times; at++)
            await new SignJWT({ sub: 'sb.service', lease: 'lease_00000000000000000000000000000000' })
              .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'JWT' })
              .sign(privateKey)
        },
      },
      verify: {
        times,
        run: async (round) => {
          for (const token of strangers[round] ?? [])
            await jwtVerify(token, issuer.publicKey, { issuer: issuer.issuer, audience: 'switchboard' })
        },
      },
      first: { times, run: (round) => sendAll(send, fresh[round] ?? [], 200) },
      seen: { times, run: () => sendAll(send, renewals, 200) },
      unchanged: { times, run: () => sendAll(send, unchanged, 304) },
    },
    { rounds, warmUp },
  )
  issuer.close()
  return [
    { name: 'jose ES256 verify', value: median(cpu.verify), unit: 'us' },
    { name: 'jose ES256 sign', value: median(cpu.sign), unit: 'us' },
    { name: 'resolve, first sight of a token', value: median(cpu.first), unit: 'us' },
    {
      name: 'resolve, first sight of a token / jose verify + sign',
      value: medianRatio(cpu.first, cpu.verify, cpu.sign),
      unit: 'x',
      limit: 1.5,
    },
    { name: 'resolve, seen token', value: median(cpu.seen), unit: 'us' },
    { name: 'resolve, seen token / jose sign', value: medianRatio(cpu.seen, cpu.sign), unit: 'x', limit: 2 },
    { name: 'resolve, seen token, 304', value: median(cpu.unchanged), unit: 'us' },
  ]
}
