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

/** Packages that resolve imports when it first needs them: a stack that has nothing on MSK never loads a byte of them. */
export const loadedWhenNeeded = ['@aws-sdk/client-sts'] as const

/** What Node is started with, besides what the environment of a function says. */
export const nodeOptions = '--enable-source-maps'

/**
 * Commands that put a package into a folder as Node finds it from a bundle there, in a bundle of its own.
 * @param repository where packages are looked for, with a separator at its end
 */
export const packageCommands = (name: string, folder: string, repository: string): readonly string[] => {
  const { target, mainFields, banner } = bundling
  const here = `${folder}/node_modules/${name}`
  const flags = [
    '--bundle --minify --sourcemap --sources-content=false --platform=node --format=esm --log-level=warning',
    `--target=${target} --main-fields=${mainFields.join(',')}`,
    ...Object.entries(substitutes).map(([package_, file]) => `"--alias:${package_}=${repository}${file}"`),
    `"--banner:js=${banner}"`,
  ]
  return [
    `"${repository}node_modules/.bin/esbuild" ${name} ${flags.join(' ')} "--outfile=${here}/index.mjs"`,
    `echo '{"exports":"./index.mjs"}' > "${here}/package.json"`,
  ]
}
