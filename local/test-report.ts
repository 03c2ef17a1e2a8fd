import * as z from 'zod'

const report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
})

export type TestCount = { readonly passed: number; readonly failed: number; readonly failures: readonly string[] }

const firstLine = (text: string | undefined): string => text?.split('\n')[0] ?? ''

/** Counts a vitest JSON report. A file that could not run at all, or a run that failed as a whole, is a failure too. */
export const countTests = (text: string): TestCount => {
  const { success, numPassedTests, numFailedTests, testResults } = report.parse(JSON.parse(text))
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (status === 'failed' && failed.length === 0) return [`${name}: ${firstLine(message)}`]
    return failed.map((test) => `${test.fullName}: ${firstLine(test.failureMessages?.[0])}`)
  })
  const failed = Math.max(numFailedTests, failures.length, success ? 0 : 1)
  return { passed: numPassedTests, failed, failures }
}
