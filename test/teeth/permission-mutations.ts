import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutation } from './mutation.ts'
import type { Edit } from './working-copy.ts'

const tests = ['test/infra/permissions.test.ts']

// A statement without actions is none; CDK would refuse it.
const noEmptyStatement: Edit = {
  file: 'infra/permissions.ts',
  find: '  grantee.grantPrincipal.addToPrincipalPolicy(',
  replace: '  if (actions.length > 0) grantee.grantPrincipal.addToPrincipalPolicy(',
}

/** Whose permission it is and on what, as far as the call around it says. */
const statementAt = (text: string, offset: number): string => {
  const before = text.slice(0, offset)
  const call = before.slice(before.lastIndexOf('llow('))
  const [, whose, what] = /^llow\(\s*([\w.]+),\s*([\w.()]*)/.exec(call) ?? []
  if (whose === undefined || call.includes('\n\n')) return `line ${before.split('\n').length}`
  return [whose, what].filter(Boolean).join(' on ')
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
      edits: [{ file, find: text.slice(0, index + whole.length), replace: text.slice(0, index) }, noEmptyStatement],
      tests,
    }))
  })
