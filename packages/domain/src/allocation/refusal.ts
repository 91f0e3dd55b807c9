import { type Finding, type FindingCode, type FindingFacts, finding, type ServiceObject } from "../config/index.ts"

/** Why a Service does not get what it asks for. */
export const refusal = (service: ServiceObject, code: FindingCode, facts: Omit<FindingFacts, "object">): Finding =>
  finding(code, { object: { kind: "Service", namespace: service.namespace, name: service.name }, ...facts })
