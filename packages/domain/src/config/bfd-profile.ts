import type { RawObject } from "./raw.ts"
import type { ObjectReader } from "./reader.ts"

/** A BFDProfile (RFC 5880 §6.8.1 parameters): how BFD is run with the peers that name it. */
export interface BfdProfile {
  readonly name: string
  readonly namespace: string
  readonly receiveIntervalMs: number
  readonly transmitIntervalMs: number
  readonly detectMultiplier: number
  readonly echoIntervalMs: number
  readonly echoMode: boolean
  readonly passiveMode: boolean
  readonly minimumTtl: number
}

/** Reads a BFDProfile of metallb.io/v1beta1, with MetalLB's defaults. */
export const readBfdProfile = (reader: ObjectReader, raw: RawObject): BfdProfile => {
  const spec = reader.fields("spec", raw.spec)
  const intervalMs = (name: string, otherwise: number) => spec.integer(name, { min: 10, max: 60_000 }) ?? otherwise
  const profile: BfdProfile = {
    name: raw.name,
    namespace: raw.namespace,
    receiveIntervalMs: intervalMs("receiveInterval", 300),
    transmitIntervalMs: intervalMs("transmitInterval", 300),
    detectMultiplier: spec.integer("detectMultiplier", { min: 2, max: 255 }) ?? 3,
    echoIntervalMs: intervalMs("echoInterval", 50),
    echoMode: spec.boolean("echoMode") ?? false,
    passiveMode: spec.boolean("passiveMode") ?? false,
    minimumTtl: spec.integer("minimumTtl", { min: 1, max: 254 }) ?? 254
  }
  spec.reportUnknown()
  return profile
}
