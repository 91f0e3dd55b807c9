import { token, tokenName } from "@lowtide/domain/announcing/subject"

/** The stream that keeps the newest message of every subject: what each cluster is to be. A cable, not a record. */
export const stateStream = "LT_STATE"

/** The stream that keeps each node's newest status. */
export const statusStream = "LT_STATUS"

/** The stream that carries what speakers told routers, until the allocator has written it to the wire journal. */
export const wireStream = "LT_WIRE"

/** The stream that keeps the ledger's signed checkpoints, outside of its database. */
export const auditStream = "LT_AUDIT"

/** Where signed checkpoints are stored. */
export const checkpointSubject = "lt.v1.audit.checkpoint"

/** Where a cluster's state is stored: `lt.v1.state.<cluster>.<key>`; the keys are `messageKey`'s. */
export const stateSubject = (cluster: string, key: string): string => `lt.v1.state.${token(cluster)}.${key}`

/** A cluster's head, the last message of each batch. */
export const headKey = "head"

/** Under which a roll call is said, beside what the stream repeats. */
export const rollCallKey = "rollcall"

/** Where a roll call is said to one cluster: never stored. */
export const rollCallSubject = (cluster: string): string => `lt.live.v1.state.${token(cluster)}.${rollCallKey}`

/** The roll calls of every cluster. */
export const rollCallFilter = `lt.live.v1.state.*.${rollCallKey}`

/** The heads of every cluster, and the intents of every VIP. */
export const headFilter = `lt.v1.state.*.${headKey}`
export const vipFilter = "lt.v1.state.*.adv.*"

/** Stored messages of one cluster, as a filter. */
export const stateFilter = (cluster: string): string => `lt.v1.state.${token(cluster)}.>`

/** Where the stream repeats what it stored; a refused publish is never repeated, as a plain subscription would see it. */
export const liveFilter = (cluster: string): string => `lt.live.v1.state.${token(cluster)}.>`

/** The key part of a stored or repeated subject. */
export const keyOf = (subject: string): string => {
  const tokens = subject.split(".")
  return tokens.slice(tokens[1] === "live" ? 5 : 4).join(".")
}

/** Where a cluster's commands are asked. */
export const commandSubject = (cluster: string): string => `lt.v1.cmd.${token(cluster)}`

/** The commands of every cluster. */
export const commandFilter = "lt.v1.cmd.*"

/** Every status, and every wire report, of the fleet. */
export const statusFilter = "lt.v1.status.>"
export const wireFilter = "lt.v1.wire.>"

/** Whose a status or report is, by its subject, which NATS lets nobody else publish on. */
export const senderOf = (subject: string): { readonly cluster: string; readonly node: string } => {
  const [cluster = "", node = ""] = subject.split(".").slice(3)
  return { cluster: tokenName(cluster), node: tokenName(node) }
}

/** A node's newest status. */
export const statusSubject = (cluster: string, node: string): string => `lt.v1.status.${token(cluster)}.${token(node)}`

/** What a node told its routers. */
export const wireSubject = (cluster: string, node: string): string => `lt.v1.wire.${token(cluster)}.${token(node)}`
