import { expect, test } from 'vitest'
import { countTests } from '../../local/test-report.ts'

const aReport = (over: object): string =>
  JSON.stringify({ success: true, numPassedTests: 2, numFailedTests: 0, testResults: [], ...over })
const aTest = (fullName: string, status: string, ...failureMessages: string[]) => ({
  fullName,
  status,
  failureMessages,
})

test('a run in which everything passes has no failures', () => {
  expect(countTests(aReport({}))).toEqual({ passed: 2, failed: 0, failures: [] })
})

test('a failed test is named with the first line of its reason', () => {
  const assertionResults = [aTest('adds', 'passed'), aTest('subtracts', 'failed', 'expected 1 to be 2\n  at line 3')]
  const testResults = [{ name: 'sum.test.ts', status: 'failed', assertionResults }]
  expect(countTests(aReport({ success: false, numPassedTests: 1, numFailedTests: 1, testResults }))).toEqual({
    passed: 1,
    failed: 1,
    failures: ['subtracts: expected 1 to be 2'],
  })
})

test('a file that does not even load counts as a failure', () => {
  const testResults = [{ name: 'sum.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }]
  expect(countTests(aReport({ success: false, testResults }))).toMatchObject({
    failed: 1,
    failures: ['sum.test.ts: no such module'],
  })
})

test('a run that fails as a whole without a failed test is not a success', () => {
  expect(countTests(aReport({ success: false })).failed).toBe(1)
})
