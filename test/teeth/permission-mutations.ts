import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutation } from './mutations.ts'

const tests = ['test/infra/permissions.test.ts']

/** The word that tells two statements of a file apart: whose permission it is, and on what. */
const statementAt = (text: string, offset: number): string => {
  const call = text.slice(0, offset).lastIndexOf('llow(')
  const [, first = '', second = ''] = /^llow\(\s*([^,]+),\s*([^,[]*)/.exec(text.slice(call)) ?? []
  return [first, second].map((word) => word.trim()).filter(Boolean).join(' on ') || 'the same actions'
}

/**
 * Every IAM action that the templates allow, taken away where it stands. They are found in the source, so a new one is
 * among them without a word here.
 */
export const permissionMutations = (folder: string): readonly Mutation[] =>
  readdirSync(join(folder, 'infra')).flatMap((name) => {
    const file = `infra/${name}`
    const text = readFileSync(join(folder, file), 'utf8')
    // a condition key looks alike, but a colon follows it
    return [...text.matchAll(/'([a-z0-9-]+:[A-Z][A-Za-z]+)'(?!:)(, ?)?/g)].map(({ 0: whole, 1: action, index }) => ({
      name: `template ${file}: no ${action} (${statementAt(text, index)})`,
      // from the start of the file, so that it is there once
      edits: [{ file, find: text.slice(0, index + whole.length), replace: text.slice(0, index) }],
      tests,
    }))
  })
