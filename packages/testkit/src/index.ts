/**
 * What tests, benchmarks and the demo stand on: real servers as scoped resources, and memory Layers of the ports.
 * Nothing in here assumes a test runner.
 */
export * from "./certificate.ts"
export * from "./ledger-roles.ts"
export * from "./memory-ledger.ts"
export * from "./nats.ts"
export * from "./postgres.ts"
export * from "./postgres-binaries.ts"
export * from "./sql.ts"
export * from "./tcp-proxy.ts"
export * from "./temporary-database.ts"
