import { parseAsn, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { RawObject } from "./raw.ts"
import type { Fields, ObjectReader } from "./reader.ts"
import { show } from "./reader.ts"
import { readSelectors } from "./selector-reader.ts"
import type { LabelSelector } from "./selectors.ts"
import { addressSyntax, canonicalAddress, durationSyntax, parseDurationSeconds } from "./syntax.ts"

/** A BGPPeer: one session from every selected node. Times are whole seconds, as on the wire. */
export interface Peer {
  readonly name: string
  readonly namespace: string
  readonly myAsn: number
  readonly peerAsn: number
  /** Canonical text. */
  readonly peerAddress: string
  /** 1..65535, 179 unless written. */
  readonly peerPort: number
  /** Canonical text, of the family of `peerAddress`. */
  readonly sourceAddress?: string
  /** 0 (no hold timer) or 3..65535; 90 unless written (RFC 4271 §10). */
  readonly holdTimeSeconds: number
  /** At most the hold time; a third of the negotiated hold time when absent. */
  readonly keepaliveTimeSeconds?: number
  /** How long to wait between attempts to connect. */
  readonly connectTimeSeconds?: number
  /** A dotted quad, never 0.0.0.0. */
  readonly routerId?: string
  /** Empty: every node. */
  readonly nodeSelectors: ReadonlyArray<LabelSelector>
  readonly ebgpMultiHop: boolean
  /** Set by `judge`: older peers with the same session, to which this one yields on nodes that both select. */
  readonly yieldsTo?: ReadonlyArray<string>
  /** Kept, without effect: see finding LT0131. */
  readonly bfdProfile?: string
  /** Kept, without effect: see finding LT0132. */
  readonly enableGracefulRestart?: boolean
}

/** The hold time of a peer that names none, RFC 4271 §10. */
export const defaultHoldTimeSeconds = 90

/** Reads a BGPPeer of metallb.io/v1beta2, or of v1beta1, whose fields are a subset. */
export const readPeer = (reader: ObjectReader, raw: RawObject): Peer => {
  if (raw.apiVersion.endsWith("/v1beta1")) {
    reader.report("LT0136", "apiVersion", "metallb.io/v1beta2", raw.apiVersion, "Write apiVersion: metallb.io/v1beta2")
  }
  const spec = reader.fields("spec", raw.spec)
  refuseUnsupported(spec)
  warnWithoutEffect(spec)
  const myAsn = readAsn(spec, "myASN")
  const peerAsn = spec.has("dynamicASN") ? undefined : readAsn(spec, "peerASN")
  const ebgpMultiHop = spec.boolean("ebgpMultiHop") ?? false
  if (ebgpMultiHop && myAsn !== undefined && myAsn === peerAsn) {
    reader.report("LT0117", spec.at("ebgpMultiHop"), "false or nothing when myASN equals peerASN", "true")
  }
  const bfdProfile = spec.string("bfdProfile")
  const enableGracefulRestart = spec.boolean("enableGracefulRestart")
  const peer: Peer = {
    name: raw.name,
    namespace: raw.namespace,
    myAsn: myAsn ?? 0,
    peerAsn: peerAsn ?? 0,
    ...readAddresses(spec),
    peerPort: spec.integer("peerPort", { min: 1, max: 65535 }) ?? 179,
    ...readTimers(spec),
    ...readRouterId(spec),
    nodeSelectors: readSelectors(spec, "nodeSelectors"),
    ebgpMultiHop,
    ...(bfdProfile === undefined ? {} : { bfdProfile }),
    ...(enableGracefulRestart === undefined ? {} : { enableGracefulRestart })
  }
  spec.reportUnknown()
  return peer
}

/** What would make another session than the one asked for if it were ignored. The values of secrets are not shown. */
const refuseUnsupported = (spec: Fields): void => {
  for (const name of ["password", "passwordSecret"]) {
    const value = spec.get(name)
    if (value === undefined || value === "" || show(value) === "{}") continue
    spec.reader.report("LT0130", spec.at(name), "no password", "one (not shown)")
  }
  if (spec.has("password") && spec.has("passwordSecret")) {
    spec.reader.report("LT0115", spec.at("password"), "password or passwordSecret", "both")
  }
  for (const name of ["interface", "dynamicASN", "vrf", "localASN"]) {
    const value = spec.get(name)
    if (value !== undefined && value !== "" && value !== 0) {
      spec.reader.report("LT0133", spec.at(name), "nothing", show(value))
    }
  }
  if (spec.has("dynamicASN") && spec.has("peerASN")) {
    spec.reader.report("LT0115", spec.at("dynamicASN"), "peerASN or dynamicASN", "both")
  }
  if (spec.has("interface") && spec.has("peerAddress")) {
    spec.reader.report("LT0115", spec.at("interface"), "peerAddress or interface", "both")
  }
}

const warnWithoutEffect = (spec: Fields): void => {
  if (spec.string("bfdProfile") !== undefined) {
    spec.reader.report("LT0131", spec.at("bfdProfile"), "nothing", show(spec.get("bfdProfile")))
  }
  if (spec.get("enableGracefulRestart") === true) {
    spec.reader.report("LT0132", spec.at("enableGracefulRestart"), "false or nothing", "true")
  }
  for (const name of ["disableMP", "dualStackAddressFamily"]) {
    if (spec.boolean(name) !== true) continue
    const fix = "Remove it: a session carries every IP version that both sides support"
    spec.reader.report("LT0134", spec.at(name), "nothing", "true", fix)
  }
}

const readAsn = (spec: Fields, name: string): number | undefined => {
  spec.require(name, "an AS number")
  const value = spec.get(name)
  if (value === undefined) return undefined
  if (typeof value !== "number") {
    spec.reader.report("LT0105", spec.at(name), "a number", show(value))
    return undefined
  }
  const asn = parseAsn(value)
  if (Result.isSuccess(asn)) return asn.success
  spec.reader.report("LT0111", spec.at(name), "an AS number of 1..4294967295", show(value))
  return undefined
}

const readAddresses = (spec: Fields): Pick<Peer, "peerAddress" | "sourceAddress"> => {
  if (!spec.has("interface")) spec.require("peerAddress", "the address of the router")
  const peerAddress = spec.parsed("peerAddress", addressSyntax, canonicalAddress)
  const sourceAddress = spec.parsed("sourceAddress", addressSyntax, canonicalAddress)
  if (sourceAddress !== undefined && peerAddress !== undefined && familyOf(sourceAddress) !== familyOf(peerAddress)) {
    const expected = `an IPv${familyOf(peerAddress)} address, as peerAddress is`
    spec.reader.report("LT0109", spec.at("sourceAddress"), expected, show(sourceAddress))
  }
  return { peerAddress: peerAddress ?? "", ...(sourceAddress === undefined ? {} : { sourceAddress }) }
}

const familyOf = (canonical: string): 4 | 6 => Result.getOrThrow(parseIpAddress(canonical)).family

const readRouterId = (spec: Fields): Pick<Peer, "routerId"> => {
  const text = spec.string("routerID")
  if (text === undefined) return {}
  const id = Result.getOrUndefined(parseIpAddress(text))
  if (id?.family === 4 && id.value !== 0n) return { routerId: text }
  spec.reader.report("LT0109", spec.at("routerID"), "an IPv4 address other than 0.0.0.0", show(text))
  return {}
}

type Timers = Pick<Peer, "holdTimeSeconds" | "keepaliveTimeSeconds" | "connectTimeSeconds">

/** RFC 4271 §4.2: a hold time is 0 or at least three seconds. A keepalive time alone implies three times as much. */
const readTimers = (spec: Fields): Timers => {
  const hold = readSeconds(spec, "holdTime", { min: 0, max: 65535 })
  const keepalive = readSeconds(spec, "keepaliveTime", { min: 0, max: 65535 })
  const connect = readSeconds(spec, "connectTime", { min: 1, max: 65535 })
  if (hold !== undefined && hold > 0 && hold < 3) {
    spec.reader.report("LT0108", spec.at("holdTime"), "0s, or 3s and more", show(spec.get("holdTime")))
  }
  const holdTimeSeconds = hold ?? (keepalive ? Math.min(keepalive * 3, 65535) : defaultHoldTimeSeconds)
  if (keepalive !== undefined && keepalive > holdTimeSeconds) {
    spec.reader.report(
      "LT0116",
      spec.at("keepaliveTime"),
      `at most ${holdTimeSeconds}s, the hold time`,
      `${keepalive}s`
    )
  }
  return {
    holdTimeSeconds,
    ...(keepalive ? { keepaliveTimeSeconds: keepalive } : {}),
    ...(connect === undefined ? {} : { connectTimeSeconds: connect })
  }
}

const readSeconds = (spec: Fields, name: string, bounds: { readonly min: number; readonly max: number }) => {
  const seconds = spec.parsed(name, durationSyntax, parseDurationSeconds)
  if (seconds === undefined || (seconds >= bounds.min && seconds <= bounds.max)) return seconds
  spec.reader.report("LT0108", spec.at(name), `${bounds.min}s to ${bounds.max}s`, show(spec.get(name)))
  return undefined
}
