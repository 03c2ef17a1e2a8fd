// Each section has a process of its own: no heap, cache or compiled code of one weighs on the figures of another.
import type { Figure } from './figure.ts'

const section = process.argv[2] ?? ''
const { measure }: { measure: () => Promise<readonly Figure[]> } = await import(`./${section}.ts`)
process.send?.(await measure())
process.disconnect?.()
