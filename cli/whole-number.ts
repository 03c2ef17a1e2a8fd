import { CommandError } from './command-error.ts'

/** @throws CommandError when the text of the option is no whole number from 1 */
export const wholeNumber = (option: string, text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new CommandError(`${option} takes a whole number from 1, got \`${text}\``, 2)
  return value
}
