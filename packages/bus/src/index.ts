/**
 * Lowtide's cable: subjects, messages, signatures and streams on NATS JetStream.
 *
 * The centre stores each cluster's wanted state as one signed message a subject (`publishAll`); nodes and agents follow it
 * (`followState`), verify it (`open`) and report (`NodeStatus`, `WireReport`); commands go the other way by request and
 * reply (`sendCommand`, `serveCommands`). Nothing here is a record: a wiped server is filled again from Postgres.
 */
export * from "./commands.ts"
export * from "./connection.ts"
export * from "./connection-options.ts"
export * from "./digest.ts"
export * from "./envelope.ts"
export * from "./follow-state.ts"
export * from "./follow-stream.ts"
export * from "./nats-users.ts"
export type { StoredMessage } from "./ordered-consumer.ts"
export * from "./permissions.ts"
export * from "./read-stream.ts"
export * from "./send-window.ts"
export * from "./status.ts"
export * from "./streams.ts"
export * from "./subjects.ts"
