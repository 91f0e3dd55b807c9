import { Schema } from "effect"
import { codes, type FindingCode } from "../config/index.ts"

/**
 * Commands as they arrive from clusters, checked field by field before anything acts on them. What a configuration
 * object's spec holds is not checked here: `decodeObject` judges it and says what is wrong in its author's terms.
 */
const Text = Schema.String
const Texts = Schema.Array(Text)
const Labels = Schema.Record(Text, Text)

const ServiceObject = Schema.Struct({
  namespace: Text,
  name: Text,
  uid: Text,
  labels: Labels,
  annotations: Schema.Struct({ addressPool: Schema.optionalKey(Text), allowSharedIp: Schema.optionalKey(Text) }),
  type: Schema.Literals(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
  loadBalancerClass: Schema.optionalKey(Text),
  requestedAddresses: Texts,
  requestedAt: Schema.optionalKey(Text),
  ipFamilies: Schema.Array(Schema.Literals(["IPv4", "IPv6"])),
  ipFamilyPolicy: Schema.Literals(["SingleStack", "PreferDualStack", "RequireDualStack"]),
  clusterIPs: Texts,
  externalTrafficPolicy: Schema.Literals(["Cluster", "Local"]),
  ports: Schema.Array(
    Schema.Struct({ protocol: Schema.Literals(["TCP", "UDP", "SCTP"]), port: Schema.Int, name: Text })
  ),
  selector: Labels
})

const NodeObject = Schema.Struct({ name: Text, labels: Labels, networkUnavailable: Schema.Boolean, addresses: Texts })

const NamespaceObject = Schema.Struct({ name: Text, labels: Labels })

const RawObject = Schema.Struct({
  apiVersion: Text,
  kind: Text,
  namespace: Text,
  name: Text,
  labels: Schema.optionalKey(Schema.Unknown),
  annotations: Schema.optionalKey(Schema.Unknown),
  uid: Schema.optionalKey(Text),
  creationTimestamp: Schema.optionalKey(Text),
  spec: Schema.optionalKey(Schema.Unknown)
})

const ObjectRef = Schema.Struct({ kind: Text, namespace: Schema.optionalKey(Text), name: Text })

const Finding = Schema.Struct({
  code: Schema.Literals(Object.keys(codes) as ReadonlyArray<FindingCode>),
  severity: Schema.Literals(["error", "warning"]),
  object: ObjectRef,
  field: Text,
  message: Text,
  expected: Text,
  found: Text,
  fix: Text,
  source: Schema.optionalKey(Schema.Struct({ file: Text, line: Schema.Int }))
})

const cluster = Text

const Command = Schema.Union([
  Schema.TaggedStruct("RegisterCluster", { cluster, network: Text }),
  Schema.TaggedStruct("ApplyManifest", { cluster, manifest: RawObject }),
  Schema.TaggedStruct("DeleteManifest", { cluster, kind: Text, namespace: Schema.optionalKey(Text), name: Text }),
  Schema.TaggedStruct("ReportFindings", { cluster, object: ObjectRef, findings: Schema.Array(Finding) }),
  Schema.TaggedStruct("ObserveNamespace", { cluster, namespace: NamespaceObject }),
  Schema.TaggedStruct("ForgetNamespace", { cluster, name: Text }),
  Schema.TaggedStruct("ObserveNode", { cluster, node: NodeObject }),
  Schema.TaggedStruct("ForgetNode", { cluster, name: Text }),
  Schema.TaggedStruct("ObserveService", {
    cluster,
    service: ServiceObject,
    statusAddresses: Schema.optionalKey(Texts)
  }),
  Schema.TaggedStruct("ForgetService", { cluster, namespace: Text, name: Text }),
  Schema.TaggedStruct("ObserveServingNodes", { cluster, namespace: Text, name: Text, nodes: Texts }),
  Schema.TaggedStruct("ObserveInventory", {
    cluster,
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
  words: Schema.optionalKey(Text),
  observedAt: Schema.optionalKey(Text),
  command: Command
})
export type AgentCommand = typeof AgentCommand.Type
