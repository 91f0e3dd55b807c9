import { Result, Schema } from "effect"
import { canonicalAddress, canonicalPrefix } from "../config/syntax.ts"
import { Finding, Labels, NamespaceObject, NodeObject, ObjectRef, RawObject, ServiceObject } from "./object-schema.ts"

/** Commands as they arrive from clusters, checked field by field before anything acts on them. */
const Text = Schema.String
const Texts = Schema.Array(Text)

const Prefix = Text.pipe(
  Schema.check(
    Schema.makeFilter((text) => Result.isSuccess(canonicalPrefix(text)) || "expected a prefix like 192.0.2.0/24")
  )
)

const Address = Text.pipe(
  Schema.check(
    Schema.makeFilter(
      (text) => Result.getOrUndefined(canonicalAddress(text)) === text || "expected an address like 192.0.2.1"
    )
  )
)

const cluster = Text

const Command = Schema.Union([
  Schema.TaggedStruct("RegisterCluster", {
    cluster,
    network: Text,
    labels: Schema.optionalKey(Labels),
    allowedPrefixes: Schema.optionalKey(Schema.Array(Prefix)),
    loadBalancerClass: Schema.optionalKey(Text)
  }),
  Schema.TaggedStruct("ApplyManifest", { cluster, manifest: RawObject }),
  Schema.TaggedStruct("DeleteManifest", { cluster, kind: Text, namespace: Schema.optionalKey(Text), name: Text }),
  Schema.TaggedStruct("ReportFindings", {
    cluster,
    object: ObjectRef,
    findings: Schema.Array(Finding),
    refused: Schema.optionalKey(RawObject)
  }),
  Schema.TaggedStruct("ObserveNamespace", { cluster, namespace: NamespaceObject }),
  Schema.TaggedStruct("ForgetNamespace", { cluster, name: Text }),
  Schema.TaggedStruct("ObserveNode", { cluster, node: NodeObject }),
  Schema.TaggedStruct("ForgetNode", { cluster, name: Text }),
  Schema.TaggedStruct("ObserveService", {
    cluster,
    service: ServiceObject,
    statusAddresses: Schema.optionalKey(Schema.Array(Address))
  }),
  Schema.TaggedStruct("ForgetService", { cluster, namespace: Text, name: Text }),
  Schema.TaggedStruct("ObserveServingNodes", { cluster, namespace: Text, name: Text, nodes: Texts }),
  Schema.TaggedStruct("ObserveInventory", {
    cluster,
    asOf: Schema.optionalKey(Schema.Struct({ incarnation: Schema.Int, seq: Schema.Int })),
    services: Texts,
    nodes: Texts,
    namespaces: Texts,
    manifests: Texts,
    findings: Texts
  })
])

const uuid = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { message: "expected a UUID in lower case" })
  )
)

/** A command of an agent, as sent over the bus. Who sends it is told by the subject it may publish to, not by itself. */
export const AgentCommand = Schema.Struct({
  commandId: uuid,
  correlationId: uuid,
  /** 1 for the first sending; a later one asks first whether an earlier one was carried out. */
  attempt: Schema.optionalKey(Schema.Int),
  /** The newest fleet version that the agent knows; the first where it does not say. */
  fleetVersion: Schema.optionalKey(Schema.Int),
  words: Schema.optionalKey(Text),
  observedAt: Schema.optionalKey(Text),
  command: Command
})
export type AgentCommand = typeof AgentCommand.Type
