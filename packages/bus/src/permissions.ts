import { token } from "@lowtide/domain/announcing/subject"
import {
  auditStream,
  checkpointSubject,
  commandFilter,
  commandSubject,
  headFilter,
  liveFilter,
  rollCallFilter,
  stateFilter,
  stateStream,
  statusFilter,
  statusStream,
  vipFilter,
  wireFilter,
  wireStream
} from "./subjects.ts"

/** Who connects. Speakers of one cluster are one user: they share a Secret, and a cluster is what permissions part. */
export type BusUser =
  | { readonly role: "allocator" }
  | { readonly role: "agent"; readonly cluster: string }
  | { readonly role: "speaker"; readonly cluster: string }

/** `allocator`, `agent-east`, `speaker-east`: for people; the server knows users by their public keys. */
export const busUserName = (user: BusUser): string =>
  user.role === "allocator" ? user.role : `${user.role}-${user.cluster}`

/** The root of the subjects on which a user gets its answers. Nobody else may listen there. */
export const inboxPrefix = (user: BusUser): string =>
  user.role === "allocator" ? "_INBOX.allocator" : `_INBOX.${user.role}.${token(user.cluster)}`

/** What a user may do; anything else is refused by the server. */
export interface BusPermissions {
  readonly publish: ReadonlyArray<string>
  readonly subscribe: ReadonlyArray<string>
}

const api = "$JS.API"

/**
 * What reading a stream under one filter takes. The filter is part of the subject on which a consumer is asked for, and
 * the server refuses a request whose body names another. Consumers go by unguessable names afterwards.
 */
const reading = (stream: string, filter: string): ReadonlyArray<string> => [
  `${api}.CONSUMER.CREATE.${stream}.*.${filter}`,
  `${api}.CONSUMER.INFO.${stream}.*`,
  `${api}.CONSUMER.MSG.NEXT.${stream}.*`,
  `${api}.CONSUMER.DELETE.${stream}.*`
]

/**
 * The narrowest permissions with which each process can do its work on nats-server 2.9. Nobody may change or delete a
 * stream. The allocator alone may look into one whole (`STREAM.INFO` lists subjects, hence addresses of other clusters),
 * and takes out of LT_STATE what was stored before history was lost.
 */
export const permissionsOf = (user: BusUser): BusPermissions => {
  const inbox = `${inboxPrefix(user)}.>`
  switch (user.role) {
    case "allocator":
      return {
        publish: [
          "lt.v1.state.>",
          rollCallFilter,
          checkpointSubject,
          "_INBOX.agent.*.>", // answers to commands
          `${api}.INFO`,
          `${api}.STREAM.NAMES`,
          ...[stateStream, statusStream, wireStream, auditStream].flatMap((stream) => [
            `${api}.STREAM.CREATE.${stream}`,
            `${api}.STREAM.INFO.${stream}`
          ]),
          `${api}.STREAM.MSG.GET.${stateStream}`,
          `${api}.STREAM.PURGE.${stateStream}`,
          ...reading(stateStream, headFilter),
          ...reading(stateStream, vipFilter),
          `${api}.STREAM.MSG.GET.${auditStream}`,
          ...reading(statusStream, statusFilter),
          ...reading(wireStream, wireFilter)
        ],
        subscribe: [commandFilter, statusFilter, inbox]
      }
    case "agent":
      return {
        publish: [
          commandSubject(user.cluster),
          `lt.v1.wire.${token(user.cluster)}.agent`,
          ...reading(stateStream, stateFilter(user.cluster))
        ],
        subscribe: [liveFilter(user.cluster), inbox]
      }
    case "speaker":
      return {
        publish: [
          `lt.v1.status.${token(user.cluster)}.*`,
          `lt.v1.wire.${token(user.cluster)}.*`,
          ...reading(stateStream, stateFilter(user.cluster))
        ],
        subscribe: [liveFilter(user.cluster), inbox]
      }
  }
}
