export type { Clock } from './clock.ts'
export { type FieldError, SwitchboardError, type SwitchboardErrorCode, SwitchboardProblem } from './errors.ts'
export { type KeepClientOptions, type KeptClient, keepClient } from './keep-client.ts'
export type {
  Connection,
  Intent,
  Lease,
  LeaseEvent,
  LeaseOptions,
  Properties,
  SchemaRegistry,
  SecretReference,
  WorkloadToken,
} from './lease.ts'
export { openLease } from './open-lease.ts'
