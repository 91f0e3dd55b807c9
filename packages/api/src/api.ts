import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSchema, OpenApi } from "effect/http-api"
import { Access } from "./access.ts"
import { AllocatorList } from "./allocators.ts"
import { ApprovalDecision, ApprovalList } from "./approvals.ts"
import { AuditReadPage, auditReadsQuery, CheckpointList, exportHeaders, exportQuery, ProofDocument } from "./audit.ts"
import { BgpGroup } from "./bgp-group.ts"
import { Currency, currencyParameters } from "./currency.ts"
import { DiffAnswer, diffQuery } from "./diff.ts"
import { EvidenceList, evidenceQuery } from "./evidence.ts"
import { FindingList } from "./finding.ts"
import {
  ApplyRequest,
  DeleteRequest,
  FleetKindName,
  QuotaList,
  ReservationList,
  SharedAddressList
} from "./fleet-objects.ts"
import { FleetVersionAnswer } from "./fleet-version.ts"
import { Readiness } from "./health.ts"
import { HistoryPage, historyQuery } from "./history.ts"
import { HolderAnswer } from "./holder.ts"
import { KnownParameters } from "./known-parameters.ts"
import { ArchiveOrder, LedgerAnswer, SegmentAnswer, SegmentOrder } from "./ledger.ts"
import { NodeList } from "./nodes.ts"
import { OrderAnswer, Override } from "./orders.ts"
import { at, IpText, listFilter, nameText, SeqText } from "./parameters.ts"
import { PeerList } from "./peers.ts"
import { PoolList } from "./pools.ts"
import {
  AmbiguousProblem,
  InvalidQueryProblem,
  NotFoundProblem,
  NotLeaderProblem,
  NotReadyProblem,
  RefusedProblem,
  UnavailableProblem
} from "./problems.ts"
import { BeginRecoveryOrder, FinishRecoveryOrder, RecoveryAnswer, ReleaseReservedOrder } from "./recovery.ts"
import { ServiceList } from "./services.ts"
import { TraceAnswer } from "./trace.ts"
import { VipList } from "./vips.ts"
import { WhyAnswer } from "./why.ts"

const listErrors = [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]

/** The fleet as it stands, or stood at the `at` of the request. A cluster that is not known is a 404, an empty list says that it has none. */
export class FleetGroup extends HttpApiGroup.make("fleet")
  .add(
    HttpApiEndpoint.get("services", "/services", {
      query: listFilter,
      success: ServiceList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Services with their addresses, announcers and what is wrong with them"),
    HttpApiEndpoint.get("pools", "/pools", { query: listFilter, success: PoolList, error: listErrors }).annotate(
      OpenApi.Summary,
      "Pools and their use"
    ),
    HttpApiEndpoint.get("vips", "/vips", {
      query: { cluster: listFilter.cluster, at },
      success: VipList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Addresses that are not free, and the nodes that have yet to confirm a withdrawal"),
    HttpApiEndpoint.get("reservations", "/reservations", {
      query: { at },
      success: ReservationList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Addresses kept for Services by their names"),
    HttpApiEndpoint.get("quotas", "/quotas", { query: { at }, success: QuotaList, error: listErrors }).annotate(
      OpenApi.Summary,
      "How many addresses clusters and namespaces may have, and have"
    ),
    HttpApiEndpoint.get("sharedAddresses", "/shared-addresses", {
      query: { at },
      success: SharedAddressList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Addresses that several clusters announce on purpose"),
    HttpApiEndpoint.get("approvals", "/approvals", {
      query: { at },
      success: ApprovalList,
      error: listErrors
    }).annotate(
      OpenApi.Summary,
      "Withdrawals beyond the budget, which wait for a second person, and what is left of the budget"
    ),
    HttpApiEndpoint.get("peers", "/peers", { query: listFilter, success: PeerList, error: listErrors }).annotate(
      OpenApi.Summary,
      "BGP peers and their sessions, node by node"
    ),
    HttpApiEndpoint.get("nodes", "/nodes", {
      query: { cluster: listFilter.cluster, at },
      success: NodeList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Nodes and how well their speakers are heard"),
    HttpApiEndpoint.get("evidence", "/evidence", {
      query: evidenceQuery,
      success: EvidenceList,
      error: listErrors
    }).annotate(
      OpenApi.Summary,
      "What routers say by BMP that they have of what nodes announce, and of what was withdrawn"
    ),
    HttpApiEndpoint.get("findings", "/findings", {
      query: listFilter,
      success: FindingList,
      error: listErrors
    }).annotate(OpenApi.Summary, "Everything that is wrong, with its fix")
  )
  .prefix("/v1")
  .middleware(Access) {}

/** What happened, and why. */
export class AuditGroup extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("holder", "/vips/:address/holder", {
      params: { address: IpText },
      query: {
        at,
        network: Schema.optionalKey(nameText("Without, the one that knows the address"))
      },
      success: HolderAnswer,
      error: [AmbiguousProblem, InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "Who holds an address, or held it at a moment, and why; and who had announced it"),
    HttpApiEndpoint.get("history", "/history", {
      query: historyQuery,
      success: HistoryPage,
      error: [AmbiguousProblem, InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "What happened, the newest last"),
    HttpApiEndpoint.get("diff", "/diff", {
      query: diffQuery,
      success: DiffAnswer,
      error: [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "What was added, removed, moved and changed between two times"),
    HttpApiEndpoint.get("trace", "/trace/service/:namespace/:name", {
      params: { namespace: nameText(), name: nameText() },
      query: { at },
      success: TraceAnswer,
      error: [AmbiguousProblem, InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(
      OpenApi.Summary,
      "How far the newest change of a Service has come, or had by then; the only cluster that has it is meant"
    ),
    HttpApiEndpoint.get("traceIn", "/trace/service/:cluster/:namespace/:name", {
      params: { cluster: nameText(), namespace: nameText(), name: nameText() },
      query: { at },
      success: TraceAnswer,
      error: [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "How far the newest change of a Service of one cluster has come, or had by then"),
    HttpApiEndpoint.get("why", "/why/service/:namespace/:name", {
      params: { namespace: nameText(), name: nameText() },
      query: { at },
      success: WhyAnswer,
      error: [AmbiguousProblem, InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(
      OpenApi.Summary,
      "Why a Service has the addresses that it has, or is refused; the only cluster that has it is meant"
    ),
    HttpApiEndpoint.get("whyIn", "/why/service/:cluster/:namespace/:name", {
      params: { cluster: nameText(), namespace: nameText(), name: nameText() },
      query: { at },
      success: WhyAnswer,
      error: [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "Why a Service of one cluster has the addresses that it has, or is refused"),
    HttpApiEndpoint.get("checkpoints", "/audit/checkpoints", {
      query: {
        since: Schema.optionalKey(SeqText.annotate({ description: "Only those over at least so many events" })),
        fresh: Schema.optionalKey(
          Schema.Literals(["true"]).annotate({ description: "Sign one now, over everything there is" })
        )
      },
      success: CheckpointList,
      error: [NotFoundProblem, NotLeaderProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "Signed checkpoints of the ledger"),
    HttpApiEndpoint.get("proof", "/audit/proofs/:seq", {
      params: { seq: SeqText },
      query: {
        from: Schema.optionalKey(
          SeqText.annotate({ description: "Size of an older checkpoint: shows as well that the log goes on from it" })
        )
      },
      success: ProofDocument,
      error: [InvalidQueryProblem, NotFoundProblem, NotLeaderProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "A proof that an event is in the ledger, to be checked without it"),
    HttpApiEndpoint.get("reads", "/audit/reads", {
      query: auditReadsQuery,
      success: AuditReadPage,
      error: [InvalidQueryProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "Who asked what of the record, the newest last"),
    HttpApiEndpoint.post("export", "/audit/exports", {
      headers: exportHeaders,
      query: exportQuery,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
      error: [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]
    }).annotate(OpenApi.Summary, "The events of the ledger, the oldest first; that it was read is an event itself")
  )
  .prefix("/v1")
  .middleware(Access) {}

const orderErrors = [NotFoundProblem, RefusedProblem, UnavailableProblem]

/** What people order. Each is decided as every command is, and answered when it is committed. */
export class OrdersGroup extends HttpApiGroup.make("orders")
  .add(
    HttpApiEndpoint.post("retireNode", "/nodes/:cluster/:node/retire", {
      params: { cluster: nameText(), node: nameText() },
      payload: Override,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Take a node that will not come back as confirmed for all that it announced; role operator of the cluster"
    ),
    HttpApiEndpoint.post("approve", "/approvals/:id/approve", {
      params: { id: nameText() },
      payload: ApprovalDecision,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Have withdrawals beyond the budget carried out; role operator of the cluster, a named person who did not order them"
    ),
    HttpApiEndpoint.post("reject", "/approvals/:id/reject", {
      params: { id: nameText() },
      payload: ApprovalDecision,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Leave announced what withdrawals beyond the budget are about; role operator of the cluster, a named person"
    ),
    HttpApiEndpoint.post("releaseBrake", "/clusters/:cluster/brake/release", {
      params: { cluster: nameText() },
      query: {
        node: Schema.optionalKey(nameText("Without, all nodes of the cluster"))
      },
      payload: Override,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Say that what speakers' brakes hold back is meant; role operator of the cluster, a named person"
    ),
    HttpApiEndpoint.post("forceRelease", "/vips/:address/force-release", {
      params: { address: IpText },
      query: {
        network: Schema.optionalKey(nameText("Without, the one that knows the address"))
      },
      payload: Override,
      success: OrderAnswer,
      error: [AmbiguousProblem, ...orderErrors]
    }).annotate(
      OpenApi.Summary,
      "End a withdrawal that a node does not confirm; role operator of the address's cluster and pool, a named person"
    ),
    HttpApiEndpoint.post("apply", "/objects", {
      payload: ApplyRequest,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Create or change a Reservation (role operator of its cluster and pool), a Quota, an AddressPool or a SharedAddress (role admin)"
    ),
    HttpApiEndpoint.post("deleteObject", "/objects/:kind/:name/delete", {
      params: { kind: FleetKindName, name: nameText() },
      payload: DeleteRequest,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Delete a Reservation, a Quota, an AddressPool or a SharedAddress; what Services hold they keep"
    ),
    HttpApiEndpoint.post("finaliseFleet", "/fleet/finalise", {
      payload: Override,
      success: OrderAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Turn on what came with the newest fleet version; refused while a process that is alive is older; role admin"
    )
  )
  .prefix("/v1")
  .middleware(Access) {}

/** The allocators themselves. */
export class CentreGroup extends HttpApiGroup.make("centre")
  .add(
    HttpApiEndpoint.get("allocators", "/allocators", { success: AllocatorList, error: UnavailableProblem }).annotate(
      OpenApi.Summary,
      "The allocators, which one leads and how far the others have read"
    ),
    HttpApiEndpoint.get("fleetVersion", "/fleet/version", {
      success: FleetVersionAnswer,
      error: [NotLeaderProblem, UnavailableProblem]
    }).annotate(
      OpenApi.Summary,
      "The fleet's version, what each process knows, and what holds a newer version back; answered by the leader, who hears the agents"
    ),
    HttpApiEndpoint.get("ledger", "/ledger", { success: LedgerAnswer, error: UnavailableProblem }).annotate(
      OpenApi.Summary,
      "What the ledger holds, how much room it has, and whether the state is what the log says"
    ),
    HttpApiEndpoint.post("readSegment", "/ledger/segments/:fromSeq/read", {
      params: { fromSeq: SeqText },
      headers: exportHeaders,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/octet-stream" }),
      error: orderErrors
    }).annotate(OpenApi.Summary, "The lines of a segment's archive; that it was read is an event itself; role admin"),
    HttpApiEndpoint.post("archiveSegment", "/ledger/segments/:fromSeq/archive", {
      params: { fromSeq: SeqText },
      payload: ArchiveOrder,
      success: SegmentAnswer,
      error: orderErrors
    }).annotate(OpenApi.Summary, "Record that a segment was archived, when that is what the database has; role admin"),
    HttpApiEndpoint.post("dropSegment", "/ledger/segments/:fromSeq/drop", {
      params: { fromSeq: SeqText },
      payload: SegmentOrder,
      success: SegmentAnswer,
      error: orderErrors
    }).annotate(OpenApi.Summary, "Drop the events of an archived segment, the oldest there is; role admin"),
    HttpApiEndpoint.post("restoreSegment", "/ledger/segments/:fromSeq/restored", {
      params: { fromSeq: SeqText },
      payload: SegmentOrder,
      success: SegmentAnswer,
      error: orderErrors
    }).annotate(OpenApi.Summary, "Record that the events of a segment are back, when they are; role admin"),
    HttpApiEndpoint.get("recovery", "/recovery", {
      success: RecoveryAnswer,
      error: [NotLeaderProblem, UnavailableProblem]
    }).annotate(
      OpenApi.Summary,
      "How the recovery from a loss of history stands, and what it keeps reserved; answered by the leader, who carries it out"
    ),
    HttpApiEndpoint.post("beginRecovery", "/recovery", {
      payload: BeginRecoveryOrder,
      success: RecoveryAnswer,
      error: UnavailableProblem
    }).annotate(OpenApi.Summary, "Recover as after a loss of history; role admin"),
    HttpApiEndpoint.post("finishRecovery", "/recovery/finish", {
      payload: FinishRecoveryOrder,
      success: RecoveryAnswer,
      error: orderErrors
    }).annotate(OpenApi.Summary, "Go on without those that are still waited for; role admin"),
    HttpApiEndpoint.post("releaseReserved", "/recovery/reserved/:address/release", {
      params: { address: IpText },
      payload: ReleaseReservedOrder,
      success: RecoveryAnswer,
      error: orderErrors
    }).annotate(
      OpenApi.Summary,
      "Let an address go that a recovery reserved and no Service came back for; role operator of its cluster"
    )
  )
  .prefix("/v1")
  .middleware(Access) {}

/** Whether to send requests here. */
export class HealthGroup extends HttpApiGroup.make("health").add(
  HttpApiEndpoint.get("healthz", "/healthz", { success: Schema.String.pipe(HttpApiSchema.asText()) }).annotate(
    OpenApi.Summary,
    "The process answers"
  ),
  HttpApiEndpoint.get("readyz", "/readyz", { success: Readiness, error: NotReadyProblem }).annotate(
    OpenApi.Summary,
    "It leads or follows the log, and what it needs is there"
  )
) {}

/** Every operation of `/v1` takes the parameters of `Currency`, which no endpoint names by itself. */
const withCurrencyParameters = (spec: Record<string, unknown>): Record<string, unknown> => {
  const { paths } = spec as {
    readonly paths: Record<string, Record<string, { parameters?: ReadonlyArray<unknown> }>>
  }
  for (const [path, operations] of Object.entries(paths)) {
    if (!path.startsWith("/v1/")) continue
    for (const operation of Object.values(operations)) {
      operation.parameters = [...(operation.parameters ?? []), ...currencyParameters]
    }
  }
  return spec
}

/** Everything that the allocator answers over HTTP, apart from `/metrics` and `/openapi.json`. */
export class LowtideApi extends HttpApi.make("lowtide")
  .add(FleetGroup, AuditGroup, BgpGroup, OrdersGroup, CentreGroup)
  .middleware(Currency)
  .middleware(KnownParameters)
  .add(HealthGroup)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotate(OpenApi.Transform, withCurrencyParameters)
  .annotateMerge(
    OpenApi.annotations({
      title: "Lowtide",
      version: "0.1.0",
      description: "Reads the fleet and its history, and takes people's orders. Errors are problem details (RFC 9457)."
    })
  ) {}
