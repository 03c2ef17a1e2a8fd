import { describe, expect, it } from 'vitest'
import { rotateKeys } from '../../cli/rotate-keys.ts'
import type { Message } from '../../shared/store/queue.ts'

const jwks = (...kids: string[]) => Response.json({ keys: kids.map((kid) => ({ kid })) })

const aStack = (answers: readonly (() => Response)[]) => {
  const sent: Message[] = []
  let time = Date.UTC(2026, 10, 21)
  let asked = 0
  return {
    sent,
    waited: () => time - Date.UTC(2026, 10, 21),
    deps: {
      issuerUrl: 'https://switchboard.acme.com',
      queue: { send: async (message: Message) => void sent.push(message), postpone: async () => {} },
      fetch: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)]
        if (answer === undefined) throw new Error('down')
        return answer()
      },
      clock: () => new Date(time),
      wait: async (milliseconds: number) => {
        time += milliseconds
      },
      waitSeconds: 5,
    },
  }
}

describe('switchboard rotate-keys', () => {
  it('asks for what is there now to be replaced, and does not wait for the hours that this takes', async () => {
    const { deps, sent, waited } = aStack([() => jwks('old')])
    expect((await rotateKeys(false, deps)).join(' ')).toContain('nobody is refused')
    expect(sent).toEqual([{ kind: 'rotate-keys', kids: ['old'], atOnce: false }])
    expect(waited()).toBe(0)
  })

  it('--now waits until the issuer shows none of the old keys, whatever else it says meanwhile', async () => {
    const { deps, sent } = aStack([
      () => jwks('old', 'older'),
      () => jwks('new', 'older'),
      () => new Response('', { status: 503 }),
      () => new Response('<html>'),
      () => jwks('new'),
    ])
    expect((await rotateKeys(true, deps)).join(' ')).toContain('restart brokers')
    expect(sent).toMatchObject([{ kids: ['old', 'older'], atOnce: true }])
  })

  it('--now says so when the old keys stay', async () => {
    const { deps } = aStack([() => jwks('old')])
    await expect(rotateKeys(true, deps)).rejects.toThrow('still shows an old key after 5 s')
  })

  it('asks for nothing while nobody can see what there is', async () => {
    const { deps, sent } = aStack([() => new Response('', { status: 500 })])
    await expect(rotateKeys(true, deps)).rejects.toThrow('cannot be read')
    expect(sent).toEqual([])
  })
})
