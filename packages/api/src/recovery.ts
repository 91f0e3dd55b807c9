import { Schema } from "effect"
import { ReasonWords } from "./orders.ts"
import { reading } from "./reading.ts"

/** An address that two clusters hold, and nobody can tell which of the two is wanted (LT0522). */
export const ContestedAddress = Schema.Struct({
  network: Schema.String,
  address: Schema.String,
  cluster: Schema.String,
  services: Schema.Array(Schema.String).annotate({
    description: "NAMESPACE/NAME of that cluster, who had it or has it"
  }),
  node: Schema.NullOr(Schema.String).annotate({
    description: "The node that holds it from before the loss, where the log has it for others alone"
  }),
  others: Schema.Array(Schema.String).annotate({
    description: "CLUSTER/NAMESPACE/NAME, or CLUSTER and what becomes of the address there"
  })
}).annotate({ identifier: "ContestedAddress" })
export type ContestedAddress = typeof ContestedAddress.Type

/** How the recovery from a loss of history stands. */
export const RecoveryView = Schema.Struct({
  incarnation: Schema.Int.annotate({ description: "That the loss began" }),
  phase: Schema.Literals(["recovering", "recovered"]),
  why: Schema.String.annotate({ description: "What showed the loss" }),
  frozen: Schema.Array(Schema.String).annotate({
    description: "Clusters in which nothing is decided or published yet"
  }),
  waitingFor: Schema.Array(Schema.String).annotate({
    description: "Agents and nodes that have not told what they remember"
  }),
  republishing: Schema.Array(
    Schema.Struct({
      cluster: Schema.String,
      published: Schema.Int.annotate({ description: "Messages that are signed and numbered anew" }),
      total: Schema.Int.annotate({ description: "Messages that the cluster is to have, as far as is known by now" })
    })
  ).annotate({ description: "Clusters of which not all is published anew yet; decisions go on in them" }),
  unrouted: Schema.Array(Schema.Struct({ cluster: Schema.String, addresses: Schema.Int })).annotate({
    description: "Clusters whose nodes announce addresses as before the loss, for which the configuration has no route"
  }),
  reserved: Schema.Int.annotate({ description: "Addresses that are kept for Services that have not come back" }),
  contested: Schema.Array(ContestedAddress)
}).annotate({ identifier: "Recovery" })
export type RecoveryView = typeof RecoveryView.Type

/** Answer of `GET /v1/recovery`, and of orders about one. */
export const RecoveryAnswer = Schema.Struct({
  ...reading,
  recovery: Schema.NullOr(RecoveryView).annotate({
    description: "Null: history was never lost, or `sentence` says that one was ordered and is not begun yet"
  }),
  sentence: Schema.optional(Schema.String).annotate({ description: "What is to be known of an order that was taken" }),
  reserved: Schema.Array(
    Schema.Struct({
      network: Schema.String,
      address: Schema.String,
      cluster: Schema.String,
      services: Schema.Array(Schema.String).annotate({
        description: "NAMESPACE/NAME, as speakers or a status name them"
      })
    })
  )
}).annotate({ identifier: "RecoveryAnswer" })
export type RecoveryAnswer = typeof RecoveryAnswer.Type

const order = { reason: ReasonWords }

export const BeginRecoveryOrder = Schema.Struct(order).annotate({ identifier: "BeginRecoveryOrder" })

export const FinishRecoveryOrder = Schema.Struct(order).annotate({ identifier: "FinishRecoveryOrder" })

export const ReleaseReservedOrder = Schema.Struct({ ...order, network: Schema.String }).annotate({
  identifier: "ReleaseReservedOrder"
})
