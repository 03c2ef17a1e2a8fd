import type { ChannelPattern } from './channel.ts'
import type { TopicTemplate } from './topic.ts'

/** Channel -> cluster + topic. Rule 3: the first route in document order that matches wins. */
export type Route = {
  readonly index: number
  readonly channel: ChannelPattern
  readonly when: Readonly<Record<string, string>>
  readonly cluster: string
  readonly topic: TopicTemplate
  readonly profiles: { readonly producer?: string | undefined; readonly consumer?: string | undefined }
}
