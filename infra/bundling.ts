/** How functions are bundled, in the words that esbuild and CDK share; the bench bundles by them too. */
export const bundling = {
  target: 'node24',
  minify: true,
  sourceMap: true,
  sourcesContent: false,
  mainFields: ['module', 'main'],
  // some CommonJS dependencies call require at run time, which an ES module does not have
  banner: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
}

/** Package -> what is bundled in its place, relative to the repository. */
export const substitutes = { '@aws-sdk/credential-provider-node': 'shared/lambda-credentials.ts' } as const

/** What Node is started with, besides what the environment of a function says. */
export const nodeOptions = '--enable-source-maps'
