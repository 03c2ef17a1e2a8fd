import { SwitchboardError } from '@switchboard-kafka/client'
import { describe, expect, test } from 'vitest'
import { createLedger } from '../../local/demos/ledger.ts'
import { atLeast, none, renderLine, renderTable, within, wrongIn } from '../../local/demos/outcome.ts'
import { difference } from '../../local/demos/rotation/leftovers.ts'
import { recordMeasures } from '../../local/demos/rotation/record-measures.ts'

const at = (offset: number, partition = 0) => ({ partition, offset: BigInt(offset) })

/** So many records, sent, acknowledged and read once each. */
const aLedger = (count: number) => {
  const ledger = createLedger()
  for (let offset = 0; offset < count; offset++) {
    const number = ledger.next()
    ledger.acknowledge(number)
    ledger.read(number, at(offset))
  }
  return ledger
}

describe('the ledger of numbered records', () => {
  test('counts what is acknowledged and read, and finds nothing wrong with it', () => {
    const ledger = aLedger(3)
    expect(ledger.isAllRead()).toBe(true)
    expect(ledger.account()).toEqual({
      ...{ sent: 3, acknowledged: 3, lost: [], duplicates: 0, readAgain: 0, uncommitted: 0, errors: [] },
    })
  })

  test('calls lost what is acknowledged and not read, and not what was never acknowledged', () => {
    const ledger = aLedger(1)
    ledger.acknowledge(ledger.next())
    ledger.next()
    expect(ledger.isAllRead()).toBe(false)
    expect(ledger.account().lost).toEqual([1])
  })

  test('tells a record that is in the topic twice from one that was read twice', () => {
    const ledger = aLedger(2)
    ledger.read(0, at(0))
    ledger.read(1, at(7))
    ledger.read(1, at(1, 2))
    expect(ledger.account()).toMatchObject({ readAgain: 1, duplicates: 2 })
  })

  test('takes a client that hangs in its close for no error of the application, and whatever else it says for one', () => {
    const ledger = createLedger()
    ledger.failToReplace(new SwitchboardError('close_timeout', 'not closed'))
    ledger.failToReplace(new SwitchboardError('credential_ended', 'over'))
    ledger.failToReplace(new Error('no broker'))
    expect(ledger.account().errors).toEqual(['over', 'no broker'])
  })

  test('says what the broker said, however deep the client has wrapped it', () => {
    const ledger = createLedger()
    const inner = Object.assign(new Error('not authorized'), { apiId: 'TOPIC_AUTHORIZATION_FAILED' })
    ledger.fail(new AggregateError([inner], 'producing failed'))
    expect(ledger.account().errors).toEqual(['producing failed: not authorized (TOPIC_AUTHORIZATION_FAILED)'])
  })
})

describe('the comparison of what is wanted with what is found', () => {
  test('names each item on either side', () => {
    const found = difference(new Set(['user a', 'user b']), new Set(['user b', 'user c']))
    expect(found).toEqual({ orphans: ['user c'], missing: ['user a'] })
  })
})

describe('the outcome', () => {
  const wrong = (ledger: ReturnType<typeof createLedger>, rebuilds = [20, 20]) =>
    wrongIn({ measures: recordMeasures('sdk', ledger.account(), { rebuilds, wanted: 20 }), totals: {} }).map(
      ({ name }) => name,
    )

  test('is right when every record was acknowledged and read once', () => {
    expect(wrong(aLedger(200))).toEqual([])
  })

  test('is wrong with a lost record, a duplicate, an error or a client that was not rotated', () => {
    const lost = aLedger(200)
    lost.acknowledge(lost.next())
    expect(wrong(lost)).toEqual(['acknowledged and never read'])
    const twice = aLedger(200)
    twice.read(5, at(1_000))
    expect(wrong(twice)).toEqual(['in the topic twice'])
    const failed = aLedger(200)
    failed.fail(new Error('closed'))
    expect(wrong(failed)).toEqual(['errors of the application'])
    expect(wrong(aLedger(200), [20, 19])).toEqual(['rotations that its clients went through'])
    expect(wrong(aLedger(99))).toEqual(['records acknowledged'])
  })

  test('takes records that are read again only as far as they were not committed when the group changed', () => {
    const ledger = aLedger(200)
    ledger.hold(1)
    const again = (count: number) => {
      for (let time = 0; time < count; time++) ledger.read(0, at(0))
    }
    again(2 * (21 + 21))
    expect(wrong(ledger)).toEqual([])
    again(1)
    expect(wrong(ledger)).toEqual(['read again'])
  })

  test('is a line for each measure and one for all', () => {
    const measures = [
      atLeast('sdk', 'rotations', 20, 20),
      within('revoke', 'first refusal', 1_200, 1_000),
      none('chaos', 'left behind', ['user sb.x@a']),
    ]
    expect(renderTable({ measures, totals: {} })).toEqual([
      '✔ sdk     rotations      20 (20 wanted)',
      '✖ revoke  first refusal  1,200 ms (at most 1,000 ms)',
      '✖ chaos   left behind    1: user sb.x@a',
    ])
    expect(renderLine('rotation', { measures, totals: { rotations: 20, lost: 0 } })).toBe(
      'rotation: 20 rotations, 0 lost, 2 of 3 measures wrong',
    )
  })
})
