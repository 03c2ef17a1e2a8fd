import type { ChannelPattern } from './channel.ts'
import type { Action, Grant } from './grant.ts'
import type { Route } from './route.ts'

/** One channel, or one route's part of an asked pattern, of one action, decided. */
export type Admission = {
  readonly action: Action
  readonly asked: string
  readonly grant: Grant
  readonly route: Route
} & (
  | { readonly kind: 'channel'; readonly topic: string }
  /** `expression` has no anchors; `both` is the route's channel cut with the pattern. */
  | { readonly kind: 'pattern'; readonly expression: string; readonly both: ChannelPattern }
)
