import { expect, test } from 'vitest'
import { allowBatches } from '../../local/emulator-differences.ts'

test('whoever may send a message may send ten at once, and nobody else gets anything', () => {
  const statement = (Action: unknown) => ({ Effect: 'Allow', Action, Resource: 'queue' })
  const template = {
    Statement: [statement('sqs:SendMessage'), statement(['a:B', 'sqs:SendMessage']), statement('a:B')],
  }

  expect(JSON.parse(allowBatches(JSON.stringify(template)))).toEqual({
    Statement: [
      statement(['sqs:SendMessage', 'sqs:SendMessageBatch']),
      statement(['a:B', 'sqs:SendMessage', 'sqs:SendMessageBatch']),
      statement('a:B'),
    ],
  })
})
