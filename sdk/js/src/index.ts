export type { Clock } from './clock.ts'
export { type FieldError, SwitchboardError, type SwitchboardErrorCode, SwitchboardProblem } from './errors.ts'
export { type KeepClientOptions, type KeptClient, keepClient } from './keep-client.ts'
export {
  type Connection,
  type Intent,
  type Lease,
  type LeaseEvent,
  type LeaseOptions,
  openLease,
  type Properties,
  type WorkloadToken,
} from './lease.ts'
