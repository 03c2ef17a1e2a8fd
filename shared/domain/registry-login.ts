/** Whom a schema registry lets in by HTTP Basic. */
export type RegistryLogin = { readonly username: string; readonly password: string }
