import { type ChannelPattern, parseChannelPattern } from './channel.ts'
import type { Policy } from './policy.ts'
import type { Route } from './route.ts'
import { parseTopicTemplate, type TopicTemplate } from './topic.ts'

type Source = Policy['routes'][number]
type Way = { readonly channel: ChannelPattern; readonly topic: TopicTemplate }
type Held = { readonly source: Source; readonly index: number; way: Way | undefined }

const compile = ({ channel: text, topic: template = '' }: Source): Way => {
  const channel = parseChannelPattern(text)
  if (!channel.ok) throw new Error(`the policy in force does not compile: ${channel.detail}`)
  const topic = parseTopicTemplate(template, channel.value)
  if (!topic.ok) throw new Error(`the policy in force does not compile: ${topic.detail}`)
  return { channel: channel.value, topic: topic.value }
}

const wayOf = (held: Held): Way => {
  held.way ??= compile(held.source)
  return held.way
}

const noLabels: Route['when'] = {}
const noProfiles: Route['profiles'] = {}

/** What all of them share; a route of its own with five getters would be larger than one that is compiled. */
const lazily: Omit<Route, 'index'> & ThisType<Held> = {
  get channel() {
    return wayOf(this).channel
  },
  get topic() {
    return wayOf(this).topic
  },
  get when() {
    return this.source.when?.labels ?? noLabels
  },
  get cluster() {
    return this.source.cluster
  },
  get profiles() {
    return this.source.profiles ?? noProfiles
  },
}

/**
 * A route of a policy in force, compiled when somebody first looks: an instance of resolve meets a few of 100,000, and
 * the others would cost a cold start more than all the rest of it. Not for routes with a table.
 */
export const publishedRoute = (source: Source, index: number): Route => {
  const held: Held & Route = Object.create(lazily)
  return Object.assign(held, { source, index, way: undefined })
}
