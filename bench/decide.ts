import { decide } from '../shared/domain/decide.ts'
import { compileDirectory, type Directory } from '../shared/domain/directory.ts'
import { type Intent, parseIntent } from '../shared/domain/intent.ts'
import type { Policy } from '../shared/domain/policy.ts'
import type { Principal } from '../shared/domain/principal.ts'
import type { Figure } from './figure.ts'
import { joseSign } from './jose-sign.ts'
import { type Batch, interleave, median, medianRatio } from './measure.ts'
import { branchingShape, type Caller, labelShape, randomShape, type Shape, wildcardShape } from './policies.ts'

const small = 10
const large = 100_000
const now = new Date('2026-11-21T12:00:00.000Z')

/** As many segments that are a literal or a `*` as a policy may have one behind the other. */
const branchingLevels = 4

const compile = (policy: Policy): Directory => {
  const { directory, issues } = compileDirectory(policy, 'sha256:bench', { published: true })
  const issue = issues[0]
  if (issue !== undefined) throw new Error(`the policy has an issue at \`${issue.path.join('.')}\`: ${issue.detail}`)
  return directory
}

type Question = { readonly principal: Principal; readonly intent: Intent }

const questionOf = ({ principal, channel }: Caller): Question => ({
  principal,
  intent: parseIntent({ produce: [channel] }),
})

/** Another question every time, and every caller is allowed what it asks for. */
const decides = (directory: Directory, questions: readonly Question[], times = 512): Batch => {
  const context = { directory, denied: [], now, jitter: 0.5 }
  let at = 0
  return {
    times,
    run: () => {
      for (let count = 0; count < times; count++) {
        const question = questions[at++ % questions.length]
        if (question === undefined) throw new Error('there is nothing to decide')
        const { outcome } = decide(question.principal, question.intent, context)
        if (outcome !== 'allow') throw new Error(`\`${question.principal.name}\` was refused`)
      }
    },
  }
}

const shapes: Readonly<Record<string, (size: number) => Shape>> = {
  random: randomShape,
  'all wildcards': wildcardShape,
  'label grants': labelShape,
}

const rounds = 61
const warmUp = 20

export const measure = async (): Promise<readonly Figure[]> => {
  const sign = await joseSign()
  const figures: Figure[] = []
  for (const [name, shapeOf] of Object.entries(shapes)) {
    const few = shapeOf(small)
    const many = shapeOf(large)
    const cpu = await interleave(
      {
        sign,
        few: decides(compile(few.policy), few.callers.map(questionOf)),
        many: decides(compile(many.policy), many.callers.map(questionOf)),
      },
      { rounds, warmUp },
    )
    figures.push(
      { name: `decide, ${name}, ${large} rules`, value: median(cpu.many), unit: 'us' },
      {
        name: `decide, ${name}, ${large} rules / jose ES256 sign`,
        value: medianRatio(cpu.many, cpu.sign),
        unit: 'x',
        limit: 0.1,
      },
      {
        name: `decide, ${name}, ${large} rules / ${small} rules`,
        value: medianRatio(cpu.many, cpu.few),
        unit: 'x',
        limit: 2,
      },
    )
  }
  const few = randomShape(small)
  const worst = branchingShape(large, branchingLevels)
  const cpu = await interleave(
    {
      few: decides(compile(few.policy), few.callers.map(questionOf)),
      worst: decides(compile(worst.policy), worst.callers.map(questionOf)),
    },
    { rounds, warmUp },
  )
  figures.push({
    name: `decide, adversarial channel of 16 segments, ${large} rules / ${small} rules`,
    value: medianRatio(cpu.worst, cpu.few),
    unit: 'x',
    limit: 10,
  })
  return figures
}
