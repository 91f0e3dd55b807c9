/** What every process does alike: settings, logging, exit codes, and the endpoints that watch over it. */
export * from "./follow-files.ts"
export * from "./operations-server.ts"
export * from "./run-service.ts"
export * from "./settings.ts"
