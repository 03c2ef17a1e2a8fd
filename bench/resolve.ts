import { jwtVerify } from 'jose'
import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import type { Figure } from './figure.ts'
import { joseSign } from './jose-sign.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { interleave, median, medianRatio } from './measure.ts'
import {
  ask,
  bodyOf,
  createReadyAccessStore,
  eventOf,
  type Send,
  startResolveHandler,
  teamOf,
} from './resolve-handler.ts'

const callers = 500
const rounds = 1_500
const warmUp = 3_000

/** @throws Error when there is nothing at that place */
const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index]
  if (found === undefined) throw new Error(`there is nothing at \`${index}\``)
  return found
}

export const measure = async (): Promise<readonly Figure[]> => {
  const issuer = await startLoopbackIssuer()
  const send = await startResolveHandler(issuer.issuer, {
    access: await createReadyAccessStore(callers),
    leases: createMemoryLeaseStore(),
  })
  const mint = (caller: number): string => issuer.mint({ sub: `service-${caller}`, team: teamOf(caller) })
  const callerOf = (round: number): number => round % callers

  // made beforehand: minting is no part of the figures
  const fresh = Array.from({ length: warmUp + rounds }, (_, round) => ({
    token: mint(callerOf(round)),
    body: bodyOf({ caller: callerOf(round), instance: `first-${round}` }),
  }))
  const strangers = fresh.map((_, round) => mint(callerOf(round)))
  const seen = await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const token = mint(caller)
      const instance = `seen-${caller}`
      const { lease, etag } = await ask(send, { token, caller, instance })
      return { token, body: bodyOf({ caller, instance, lease }), etag }
    }),
  )
  const seenOf = (round: number) => at(seen, callerOf(round))
  const sendFor = async (status: number, event: Parameters<Send>[0]): Promise<void> => {
    const { statusCode } = await send(event)
    if (statusCode !== status) throw new Error(`resolve answered \`${statusCode}\`, expected \`${status}\``)
  }

  const cpu = await interleave(
    {
      sign: await joseSign(1),
      verify: {
        run: (round) =>
          jwtVerify(at(strangers, round), issuer.publicKey, { issuer: issuer.issuer, audience: 'switchboard' }),
      },
      first: { run: (round) => sendFor(200, eventOf(`Bearer ${at(fresh, round).token}`, at(fresh, round).body)) },
      seen: { run: (round) => sendFor(200, eventOf(`Bearer ${seenOf(round).token}`, seenOf(round).body)) },
      unchanged: {
        run: (round) => sendFor(304, eventOf(`Bearer ${seenOf(round).token}`, seenOf(round).body, seenOf(round).etag)),
      },
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
