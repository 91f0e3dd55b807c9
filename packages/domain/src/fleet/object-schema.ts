import { Schema } from "effect"
import type { FindingCode } from "../config/index.ts"

/**
 * Objects as commands tell of them and events keep them, checked field by field. What a configuration object's spec holds
 * is not checked here: `decodeObject` judges it and says what is wrong in its author's terms.
 */
const Text = Schema.String
const Texts = Schema.Array(Text)
export const Labels = Schema.Record(Text, Text)

export const ServiceObject = Schema.Struct({
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
  selector: Labels,
  deleting: Schema.optionalKey(Schema.Literal(true))
})

export const NodeObject = Schema.Struct({
  name: Text,
  labels: Labels,
  networkUnavailable: Schema.Boolean,
  addresses: Texts
})

export const NamespaceObject = Schema.Struct({ name: Text, labels: Labels })

export const RawObject = Schema.Struct({
  apiVersion: Text,
  kind: Text,
  namespace: Text,
  name: Text,
  labels: Schema.optionalKey(Schema.Unknown),
  annotations: Schema.optionalKey(Schema.Unknown),
  uid: Schema.optionalKey(Text),
  creationTimestamp: Schema.optionalKey(Text),
  deletionTimestamp: Schema.optionalKey(Text),
  spec: Schema.optionalKey(Schema.Unknown)
})

export const ObjectRef = Schema.Struct({ kind: Text, namespace: Schema.optionalKey(Text), name: Text })

/** The code may be one of a newer release: a finding says all that there is to say of it by itself. */
const Code = Text.pipe(
  Schema.check(Schema.isPattern(/^LT\d{4}$/, { message: "expected a code like LT0104" }))
) as unknown as Schema.Codec<FindingCode>

export const Finding = Schema.Struct({
  code: Code,
  severity: Schema.Literals(["error", "warning"]),
  object: ObjectRef,
  field: Text,
  message: Text,
  expected: Text,
  found: Text,
  fix: Text,
  source: Schema.optionalKey(Schema.Struct({ file: Text, line: Schema.Int }))
})
