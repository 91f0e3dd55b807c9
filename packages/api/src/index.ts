/**
 * The HTTP contract between Lowtide's allocator and whoever asks it: the CLI, the console, automation.
 *
 * `LowtideApi` states every endpoint once, with the schemas of what goes in and out; the server implements it, `layerClient`
 * calls it, `docs/reference/openapi.json` is printed from it. Gets read; posts are people's orders, which are decided and
 * committed as agents' commands are. `Access` says who asks.
 * Every answer says at which `position` of the log it holds. Errors are problem details (RFC 9457).
 */
export * from "./access.ts"
export * from "./allocators.ts"
export * from "./api.ts"
export * from "./audit.ts"
export * from "./bgp.ts"
export * from "./bgp-group.ts"
export * from "./client.ts"
export * from "./currency.ts"
export * from "./diff.ts"
export * from "./finding.ts"
export * from "./fleet-objects.ts"
export * from "./fleet-version.ts"
export * from "./health.ts"
export * from "./history.ts"
export * from "./holder.ts"
export * from "./ledger.ts"
export * from "./node-api.ts"
export * from "./node-truth.ts"
export * from "./nodes.ts"
export * from "./orders.ts"
export * from "./parameters.ts"
export * from "./peers.ts"
export * from "./pools.ts"
export * from "./problems.ts"
export * from "./reading.ts"
export * from "./recovery.ts"
export * from "./services.ts"
export * from "./trace.ts"
export * from "./user-header.ts"
export * from "./vips.ts"
export * from "./why.ts"
