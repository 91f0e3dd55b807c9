/**
 * Lowtide's rules, without any I/O, clock or randomness.
 *
 * `config` turns manifests into a judged configuration; `fleet` decides commands into events and keeps the state they
 * amount to; `allocation` chooses addresses; `announcing` says what clusters and nodes are told, and what a node announces;
 * `preview` runs manifests through all of it.
 */
export * from "./announcing/index.ts"
export * from "./config/index.ts"
export * from "./fleet/index.ts"
export * from "./preview/index.ts"
