import { generateKeyPair, SignJWT } from 'jose'
import { decide } from '../shared/domain/decide.ts'
import { compileDirectory, type Directory } from '../shared/domain/directory.ts'
import { type Intent, parseIntent } from '../shared/domain/intent.ts'
import type { Policy } from '../shared/domain/policy.ts'
import type { Principal } from '../shared/domain/principal.ts'
import type { Figure } from './figure.ts'
import { type Batch, interleave, median, medianRatio } from './measure.ts'
import { type Caller, labelShape, randomShape, type Shape, wildcardShape } from './policies.ts'

const small = 10
const large = 100_000
const now = new Date('2026-11-21T12:00:00.000Z')

const compile = (policy: Policy): Directory => {
  const { directory, issues } = compileDirectory(policy, 'sha256:bench')
  const issue = issues[0]
  if (issue !== undefined) throw new Error(`the policy has an issue at \`${issue.path.join('.')}\`: ${issue.detail}`)
  return directory
}

type Question = { readonly principal: Principal; readonly intent: Intent }

const questionOf = ({ principal, channel }: Caller): Question => ({
  principal,
  intent: parseIntent({ produce: [channel] }),
})

const decides = (directory: Directory, questions: readonly Question[], times: number): Batch => {
  const context = { directory, denied: [], now, jitter: 0.5 }
  return {
    times,
    run: () => {
      for (let at = 0; at < times; at++) {
        const question = questions[at % questions.length]
        if (question === undefined) throw new Error('there is nothing to decide')
        const { outcome } = decide(question.principal, question.intent, context)
        if (outcome !== 'allow') throw new Error(`\`${question.principal.name}\` was refused`)
      }
    },
  }
}

/** Sixteen segments below the caller's channel, so that a search goes as deep as it can and finds what it is given. */
const shapes: Readonly<Record<string, (size: number) => Shape>> = {
  random: randomShape,
  'all wildcards': wildcardShape,
  'label grants': labelShape,
}

export const measure = async (): Promise<readonly Figure[]> => {
  const { privateKey } = await generateKeyPair('ES256')
  const sign: Batch = {
    times: 100,
    run: async () => {
      for (let at = 0; at < 100; at++)
        await new SignJWT({ sub: 'sb.service', lease: 'lease_00000000000000000000000000000000' })
          .setProtectedHeader({ alg: 'ES256', kid: 'key', typ: 'JWT' })
          .sign(privateKey)
    },
  }
  const figures: Figure[] = []
  for (const [name, shapeOf] of Object.entries(shapes)) {
    const few = shapeOf(small)
    const many = shapeOf(large)
    const times = await interleave(
      {
        sign,
        few: decides(compile(few.policy), few.callers.map(questionOf), 4_096),
        many: decides(compile(many.policy), many.callers.map(questionOf), 4_096),
      },
      { rounds: 31, warmUp: 8 },
    )
    figures.push(
      { name: `decide, ${name}, ${large} rules`, value: median(times.many), unit: 'us' },
      {
        name: `decide, ${name}, ${large} rules / jose ES256 sign`,
        value: medianRatio(times.many, times.sign),
        unit: 'x',
        limit: 0.1,
      },
      {
        name: `decide, ${name}, ${large} rules / ${small} rules`,
        value: medianRatio(times.many, times.few),
        unit: 'x',
        limit: 2,
      },
    )
  }
  return figures
}
