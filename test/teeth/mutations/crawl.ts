import type { Mutation } from '../mutation.ts'

const crawlTests = ['test/functions/crawl', 'test/domain']

export const crawlMutations: readonly Mutation[] = [
  {
    name: 'a crawl publishes although most listeners are gone',
    edits: [
      {
        file: 'shared/store/publish-facts.ts',
        find: "      if (review.outcome === 'drop' && !accepted) return { outcome: 'withheld', listeners: review.listeners }\n",
        replace: '',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a crawl publishes over a policy that was applied meanwhile',
    edits: [
      {
        file: 'shared/store/publish-facts.ts',
        find: 'pointer.facts === before && pointer.policy === policy && pointer.next === next ? { facts: address } : undefined',
        replace: '({ facts: address, policy, next, denied: [], revision: pointer.revision })',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a crawl forgets the clusters of the policy that is being applied',
    edits: [
      {
        file: 'shared/store/publish-facts.ts',
        find: 'idsWanted([policy, next])',
        replace: 'idsWanted([policy])',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'what a crawl found stands above what the policy says',
    edits: [
      {
        file: 'shared/domain/facts.ts',
        find: "  provider !== 'kafka' && bootstrap === undefined && listeners === undefined",
        replace: "  provider !== 'kafka'",
      },
    ],
    tests: [...crawlTests, 'test/cli'],
  },
  {
    name: 'an unchanged crawl publishes anew',
    edits: [
      {
        file: 'shared/domain/facts.ts',
        find: "  if (canonicalJson(before) === canonicalJson(after)) return { outcome: 'unchanged' }\n",
        replace: '',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a listing without most clusters takes them for deleted',
    edits: [
      {
        file: 'functions/crawl/list-clusters.ts',
        find: '    if (!accept && isTooMuchToVanish(vanishing.length, known))',
        replace: '    if (!accept && known < 0 && isTooMuchToVanish(vanishing.length, known))',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a listing that broke off takes what it did not reach for deleted',
    edits: [
      {
        file: 'functions/crawl/list-clusters.ts',
        find: 'ids.has(entry.id) || unlisted.some(({ prefix }) => entry.id.startsWith(prefix))',
        replace: 'ids.has(entry.id)',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'access for new topics is asked for after they were written down',
    edits: [
      {
        file: 'functions/crawl/crawl-cluster.ts',
        find: '    if (appeared.length > 0) await topicsAppeared(key, snapshot, appeared)\n',
        replace: '',
      },
      {
        file: 'functions/crawl/crawl-cluster.ts',
        find: '    telemetry.count(metricNames.clusterCrawled)\n',
        replace:
          '    if (appeared.length > 0) await topicsAppeared(key, snapshot, appeared)\n    telemetry.count(metricNames.clusterCrawled)\n',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'access is made anew for everybody when any topic is new',
    edits: [
      {
        file: 'functions/crawl/topics-appeared.ts',
        find: '.add.length > 0',
        replace: '.add.length >= 0',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a crawl warns of a selector at every change of tags',
    edits: [
      {
        file: 'functions/crawl/warn-of-new-matches.ts',
        find: '.filter(({ route }) => !known.has(route))',
        replace: '.filter(({ route }) => known.size >= 0 || route >= 0)',
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'a selector that matches another cluster is warned of after that was written down',
    edits: [
      {
        file: 'functions/crawl/crawl-cluster.ts',
        find: "    if (before === undefined || clusterChanges.includes('tags'))\n      await warnOfNewMatches(key, snapshot.cluster, before?.cluster)\n",
        replace: '',
      },
      {
        file: 'functions/crawl/crawl-cluster.ts',
        find: '    telemetry.count(metricNames.clusterCrawled)\n',
        replace:
          "    if (before === undefined || clusterChanges.includes('tags'))\n      await warnOfNewMatches(key, snapshot.cluster, before?.cluster)\n    telemetry.count(metricNames.clusterCrawled)\n",
      },
    ],
    tests: crawlTests,
  },
  {
    name: 'labels of an earlier policy are taken for tags',
    edits: [
      {
        file: 'cli/new-matches.ts',
        find: '      entry.source !== policySource &&\n',
        replace: '      policySource.length > 0 &&\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'a stored policy forgets the selectors that its routes were pinned from',
    edits: [
      {
        file: 'shared/domain/pin-clusters.ts',
        find: ", cluster: only ?? '', selector: cluster }",
        replace: ", cluster: only ?? '' }",
      },
    ],
    tests: ['test/domain', 'test/cli'],
  },
  {
    name: 'an apply sends clients to a cluster that nobody has found',
    edits: [
      {
        file: 'cli/found-clusters.ts',
        find: '    if (!found.has(id))\n',
        replace: '    if (found.size < 0)\n',
      },
    ],
    tests: ['test/cli'],
  },
  {
    name: 'resolve says that a cluster that nobody has found is a fault of the caller',
    edits: [
      {
        file: 'shared/domain/decide.ts',
        find: '    if (cluster.listeners.length === 0)',
        replace: '    if (cluster.listeners.length < 0)',
      },
    ],
    tests: ['test/domain'],
  },
  {
    name: 'a cluster becomes another one while its old users are there',
    edits: [
      {
        file: 'cli/plan-providers.ts',
        find: "slotNames.some((slot) => slots[slot].state !== 'absent')",
        replace: "slotNames.every((slot) => slots[slot].state !== 'absent')",
      },
    ],
    tests: ['test/cli'],
  },
]
