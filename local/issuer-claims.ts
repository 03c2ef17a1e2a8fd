/** What the local issuer says about the workloads of the example, besides their name. */
const known: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'orders-api': { team: 'payments' },
  billing: { team: 'finance' },
  reporting: { team: 'analytics' },
  intruder: { team: 'none' },
}

export const claimsOf = (principal: string): Readonly<Record<string, string>> =>
  Object.hasOwn(known, principal) ? (known[principal] ?? {}) : {}
