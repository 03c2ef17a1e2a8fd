import { createMemoryLeaseStore } from '../shared/store/memory.ts'
import type { Figure } from './figure.ts'
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
  tokenEventOf,
} from './resolve-handler.ts'

const callers = 500
const rounds = 1_500
const warmUp = 3_000
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** A client of the policy beside the callers, with all that one of them has. */
const client = {
  id: `service-${callers}`,
  secret: 'k7Qp0w2vXc9sT4mLz8yRb1uHd6eJf3aG5nVi-Uo_xWk',
  team: teamOf(callers),
}

export const measure = async (): Promise<readonly Figure[]> => {
  const issuer = await startLoopbackIssuer()
  const send = await startResolveHandler(
    issuer.issuer,
    { access: await createReadyAccessStore(callers + 1), leases: createMemoryLeaseStore() },
    [client],
  )
  const mint = (caller: number): string => issuer.mint({ sub: `service-${caller}`, team: teamOf(caller) })
  const callerOf = (round: number): number => round % callers
  const bearerForm = (assertion: string): string => new URLSearchParams({ grant_type: jwtBearer, assertion }).toString()
  const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
  const sendFor = async (event: Parameters<Send>[0]): Promise<void> => {
    const { statusCode, body } = await send(event)
    if (statusCode !== 200) throw new Error(`the answer was \`${statusCode}\`, expected \`200\`: ${body}`)
  }

  // made beforehand: minting is no part of the figures
  const seen = await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const token = mint(caller)
      const instance = `seen-${caller}`
      const { lease } = await ask(send, { token, caller, instance })
      return { authorization: `Bearer ${token}`, body: bodyOf({ caller, instance, lease }), form: bearerForm(token) }
    }),
  )
  const first = Array.from({ length: warmUp + rounds }, (_, round) => {
    const [one, other] = [mint(callerOf(round)), mint(callerOf(round))]
    return {
      authorization: `Bearer ${one}`,
      body: bodyOf({ caller: callerOf(round), instance: `first-${round}` }),
      form: bearerForm(other),
      query: `instance=first-${round}`,
    }
  })
  const ofClient = bodyOf({ caller: callers, instance: 'client' })
  await sendFor(eventOf(basic, ofClient))
  const at = <T>(list: readonly T[], round: number): T => list[round % list.length] as T

  const cpu = await interleave(
    {
      resolve: { run: (round) => sendFor(eventOf(at(seen, round).authorization, at(seen, round).body)) },
      token: { run: (round) => sendFor(tokenEventOf(at(seen, round).form)) },
      resolveFirst: { run: (round) => sendFor(eventOf(at(first, round).authorization, at(first, round).body)) },
      tokenFirst: { run: (round) => sendFor(tokenEventOf(at(first, round).form, { query: at(first, round).query })) },
      resolveBasic: { run: () => sendFor(eventOf(basic, ofClient)) },
      tokenBasic: {
        run: () => sendFor(tokenEventOf('grant_type=client_credentials', { authorization: basic })),
      },
    },
    { rounds, warmUp },
  )
  issuer.close()
  return [
    { name: 'token, seen assertion', value: median(cpu.token), unit: 'us' },
    { name: 'token, seen assertion / resolve', value: medianRatio(cpu.token, cpu.resolve), unit: 'x', limit: 1.3 },
    {
      name: 'token, first sight of an assertion / resolve',
      value: medianRatio(cpu.tokenFirst, cpu.resolveFirst),
      unit: 'x',
      limit: 1.3,
    },
    {
      name: 'token, client credentials / resolve, Basic',
      value: medianRatio(cpu.tokenBasic, cpu.resolveBasic),
      unit: 'x',
      limit: 1.3,
    },
    { name: 'resolve, Basic / Bearer', value: medianRatio(cpu.resolveBasic, cpu.resolve), unit: 'x', limit: 1.2 },
    { name: 'token, Basic / assertion', value: medianRatio(cpu.tokenBasic, cpu.token), unit: 'x', limit: 1.2 },
  ]
}
