import { Schema } from "effect"
import { CommandId, ReasonWords } from "./orders.ts"
import { isStorable } from "./parameters.ts"
import { Instant, reading } from "./reading.ts"

/** An object of the whole fleet, in Kubernetes' shape; docs/reference/manifests.md says what its spec holds. */
export const FleetManifest = Schema.Struct({
  apiVersion: Schema.String,
  kind: Schema.String,
  metadata: Schema.Struct({
    name: Schema.String,
    labels: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  }),
  spec: Schema.optionalKey(Schema.Unknown)
})
  .pipe(Schema.check(Schema.makeFilter(isStorable)))
  .annotate({ identifier: "FleetManifest" })
export type FleetManifest = typeof FleetManifest.Type

const order = { commandId: CommandId, reason: Schema.optionalKey(ReasonWords) }

export const ApplyRequest = Schema.Struct({ ...order, object: FleetManifest }).annotate({ identifier: "ApplyRequest" })

export const DeleteRequest = Schema.Struct(order).annotate({ identifier: "DeleteRequest" })

/** The kinds of the fleet's own objects. */
export const FleetKindName = Schema.Literals(["Reservation", "Quota", "AddressPool", "SharedAddress", "Fleet"])

/**
 * Where a reservation stands. `Bound`: its Service holds the address. `Kept`: the address waits for the Service.
 * `Resting`: the address was another's, and is not free yet. `NoPool`: no pool of the cluster has the address by now.
 */
export const ReservationStanding = Schema.Literals(["Bound", "Kept", "Resting", "NoPool"])
export type ReservationStanding = typeof ReservationStanding.Type

/** An address kept for a Service by its name. */
export const ReservationView = Schema.Struct({
  name: Schema.String,
  network: Schema.String,
  address: Schema.String,
  pool: Schema.String.annotate({ description: "The pool that had the address when it was reserved" }),
  cluster: Schema.String,
  namespace: Schema.String,
  service: Schema.String,
  state: ReservationStanding,
  since: Schema.NullOr(Instant)
}).annotate({ identifier: "Reservation" })
export type ReservationView = typeof ReservationView.Type

/** Answer of `GET /v1/reservations`. */
export const ReservationList = Schema.Struct({ ...reading, items: Schema.Array(ReservationView) })
export type ReservationList = typeof ReservationList.Type

/** An address that several clusters announce on purpose. */
export const SharedAddressView = Schema.Struct({
  name: Schema.String,
  network: Schema.String,
  addresses: Schema.Array(Schema.String),
  members: Schema.Array(
    Schema.Struct({
      cluster: Schema.String,
      namespace: Schema.String,
      service: Schema.String,
      priority: Schema.Int.annotate({ description: "The lowest is preferred by routers; equals are equal-cost paths" }),
      state: Schema.Literals(["Held", "Waiting"]).annotate({ description: "Held: its Service has the address" })
    })
  ),
  since: Schema.NullOr(Instant)
}).annotate({ identifier: "SharedAddress" })
export type SharedAddressView = typeof SharedAddressView.Type

/** Answer of `GET /v1/shared-addresses`. */
export const SharedAddressList = Schema.Struct({ ...reading, items: Schema.Array(SharedAddressView) })
export type SharedAddressList = typeof SharedAddressList.Type

/** How many addresses a cluster, or a namespace of it, may have, and has. */
export const QuotaView = Schema.Struct({
  name: Schema.String,
  cluster: Schema.NullOr(Schema.String).annotate({ description: "Null: every cluster, each counted by itself" }),
  namespace: Schema.NullOr(Schema.String).annotate({ description: "Null: the whole cluster" }),
  addresses: Schema.Int,
  usage: Schema.Array(Schema.Struct({ cluster: Schema.String, used: Schema.Int, waiting: Schema.Int })).annotate({
    description: "By cluster; `waiting` are the Services that the quota holds back"
  }),
  since: Schema.NullOr(Instant)
}).annotate({ identifier: "Quota" })
export type QuotaView = typeof QuotaView.Type

/** Answer of `GET /v1/quotas`. */
export const QuotaList = Schema.Struct({ ...reading, items: Schema.Array(QuotaView) })
export type QuotaList = typeof QuotaList.Type
