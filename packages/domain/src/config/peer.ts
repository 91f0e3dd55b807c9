import { isLinkLocal, parseAsn, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { familyOf } from "./canonical.ts"
import type { RawObject } from "./raw.ts"
import type { Fields, ObjectReader } from "./reader.ts"
import { show } from "./reader.ts"
import { readSelectors } from "./selector-reader.ts"
import type { LabelSelector } from "./selectors.ts"
import {
  addressSyntax,
  canonicalAddress,
  deviceSyntax,
  durationSyntax,
  nameSyntax,
  parseDevice,
  parseDurationSeconds,
  parseName
} from "./syntax.ts"

/** A BGPPeer: one session from every selected node. Times are whole seconds, as on the wire. */
export interface Peer {
  readonly name: string
  readonly namespace: string
  readonly myAsn: number
  /** 0 where `dynamicAsn` is set. */
  readonly peerAsn: number
  /** The peer's AS is whatever it says, so long as it is ours (internal) or another (external). */
  readonly dynamicAsn?: "internal" | "external"
  /** The AS that this peer is shown in place of `myAsn`. */
  readonly localAsn?: number
  /** Canonical text; empty where `interface` is set. */
  readonly peerAddress: string
  /** The peer is whoever is on this interface (unnumbered). */
  readonly interface?: string
  readonly vrf?: string
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
  readonly bfdProfile?: string
  readonly enableGracefulRestart?: boolean
  /** Where its password stands; the password itself is nobody's business here. */
  readonly password?: PasswordPlace
  readonly disableMP?: boolean
  /** Both IP versions over the one session. */
  readonly dualStackAddressFamily?: boolean
  /** 1..254: what has come further than so many hops is dropped (GTSM, RFC 5082). */
  readonly ttlSecurityHops?: number
  /** More prefixes at a time from the peer end the session, 1..10000000. */
  readonly maximumPrefixes?: number
  /** What the nodes are to the peer (RFC 9234), to external peers only. */
  readonly role?: PeerRole
  /** A peer that tells no role of its own is refused. */
  readonly roleStrict?: true
  /** A node that is no equal for this peer announces nothing to it, instead of a worse path. */
  readonly standby?: "none"
}

/** What an AS is to its neighbour, as RFC 9234 §3 calls it; the route server is `route-server`. */
export const peerRoles = ["provider", "customer", "peer", "route-server", "route-server-client"] as const
export type PeerRole = (typeof peerRoles)[number]

/** The annotations of a BGPPeer: settings for which MetalLB has no field. */
export const peerAnnotations = {
  ttlSecurityHops: "lowtide.dev/ttl-security-hops",
  maximumPrefixes: "lowtide.dev/maximum-prefixes",
  role: "lowtide.dev/role",
  roleStrict: "lowtide.dev/role-strict",
  standby: "lowtide.dev/standby"
} as const

/** In the BGPPeer itself, or under the key `password` of a Secret. */
export type PasswordPlace =
  | { readonly from: "peer" }
  | { readonly from: "secret"; readonly namespace: string; readonly name: string }

/** The hold time of a peer that names none, RFC 4271 §10. */
export const defaultHoldTimeSeconds = 90

/**
 * Reads a BGPPeer of metallb.io/v1beta2, or of v1beta1, whose fields are a subset. What a backend cannot do of it is
 * `judge`'s to say.
 */
export const readPeer = (reader: ObjectReader, raw: RawObject): Peer => {
  if (raw.apiVersion.endsWith("/v1beta1")) {
    reader.report("LT0136", "apiVersion", "metallb.io/v1beta2", raw.apiVersion, "Write apiVersion: metallb.io/v1beta2")
  }
  const spec = reader.fields("spec", raw.spec)
  const password = readPassword(spec, raw.namespace)
  const myAsn = readAsn(spec, "myASN")
  const remote = readRemoteAs(spec)
  const { localAsn } = readLocalAsn(spec, myAsn)
  const ebgpMultiHop = spec.boolean("ebgpMultiHop") ?? false
  if (ebgpMultiHop && myAsn !== undefined && myAsn === remote.peerAsn) {
    reader.report("LT0117", spec.at("ebgpMultiHop"), "false or nothing when myASN equals peerASN", "true")
  }
  if (ebgpMultiHop && remote.dynamicAsn === "internal") {
    reader.report("LT0117", spec.at("ebgpMultiHop"), "false or nothing when dynamicASN is internal", "true")
  }
  const peer: Peer = {
    name: raw.name,
    namespace: raw.namespace,
    myAsn: myAsn ?? 0,
    ...remote,
    ...present("localAsn", localAsn),
    ...readAddresses(spec),
    ...present("vrf", spec.parsed("vrf", deviceSyntax, parseDevice)),
    peerPort: spec.integer("peerPort", { min: 1, max: 65535 }) ?? 179,
    ...readTimers(spec),
    ...readRouterId(spec),
    nodeSelectors: readSelectors(spec, "nodeSelectors"),
    ebgpMultiHop,
    ...present("bfdProfile", spec.string("bfdProfile")),
    ...present("enableGracefulRestart", spec.boolean("enableGracefulRestart")),
    ...present("password", password),
    ...present("disableMP", spec.boolean("disableMP")),
    ...present("dualStackAddressFamily", spec.boolean("dualStackAddressFamily")),
    ...readAnnotations(reader, raw, { ebgpMultiHop, isInternal: isInternal(remote, localAsn ?? myAsn) })
  }
  spec.reportUnknown()
  return peer
}

/** The field, or nothing at all where it is not set. */
const present = <Name extends keyof Peer>(name: Name, value: Peer[Name] | undefined): Partial<Pick<Peer, Name>> =>
  value === undefined ? {} : ({ [name]: value } as unknown as Pick<Peer, Name>)

const readAnnotations = (
  reader: ObjectReader,
  raw: RawObject,
  { ebgpMultiHop, isInternal }: Pick<Peer, "ebgpMultiHop"> & { readonly isInternal: boolean }
): Partial<Pick<Peer, keyof typeof peerAnnotations>> => {
  const names = peerAnnotations
  const annotations = reader.fields("metadata", { annotations: raw.annotations }).nested("annotations")
  const ttlSecurityHops = annotations.integerText(names.ttlSecurityHops, { min: 1, max: 254 })
  if (ttlSecurityHops !== undefined && ebgpMultiHop) {
    const expected = "ebgpMultiHop or a number of hops, which lets the peer be so far away"
    reader.report("LT0115", annotations.at(names.ttlSecurityHops), expected, "both")
  }
  const maximumPrefixes = annotations.integerText(names.maximumPrefixes, { min: 1, max: 10_000_000 })
  const role = annotations.oneOf(names.role, peerRoles)
  const roleStrict = annotations.oneOf(names.roleStrict, ["true", "false"]) === "true"
  if (role !== undefined && isInternal) {
    reader.report("LT0117", annotations.at(names.role), "nothing on a peer of our own AS (RFC 9234 §4)", role)
  }
  const standby = annotations.oneOf(names.standby, ["none"])
  if (roleStrict) annotations.require(names.role, `a role, which ${names.roleStrict} is about`)
  annotations.reportUnknownOf({ prefixes: ["lowtide.dev/"], known: Object.values(names) })
  return {
    ...present("ttlSecurityHops", ttlSecurityHops),
    ...present("maximumPrefixes", maximumPrefixes),
    ...present("role", role),
    ...(roleStrict ? { roleStrict } : {}),
    ...present("standby", standby)
  }
}

/** A session in one AS, as the peer is shown ours. */
const isInternal = ({ peerAsn, dynamicAsn }: Pick<Peer, "peerAsn" | "dynamicAsn">, ownAsn: number | undefined) =>
  dynamicAsn === undefined ? ownAsn !== undefined && ownAsn === peerAsn : dynamicAsn === "internal"

/** The longest key that Linux takes for TCP-MD5, and so the longest of the routers that we know. */
const passwordOctetsMax = 80

/** Whether there is a password, and where; its text is neither kept nor shown. */
const readPassword = (spec: Fields, peerNamespace: string): PasswordPlace | undefined => {
  const inline = spec.get("password")
  if (inline !== undefined && typeof inline !== "string") {
    spec.reader.report("LT0105", spec.at("password"), "text", "something else (not shown)")
  }
  const isInline = inline !== undefined && inline !== ""
  const octets = typeof inline === "string" ? new TextEncoder().encode(inline).length : 0
  if (octets > passwordOctetsMax) {
    const fix = "Write a shorter one, at the router as well"
    spec.reader.report(
      "LT0108",
      spec.at("password"),
      `at most ${passwordOctetsMax} octets`,
      `${octets} (not shown)`,
      fix
    )
  }
  const secret = spec.nested("passwordSecret")
  const isSecret = secret.string("name") !== undefined || secret.string("namespace") !== undefined
  const secretName = secret.parsed("name", nameSyntax, parseName)
  const secretNamespace = secret.parsed("namespace", nameSyntax, parseName)
  secret.reportUnknown()
  if (isSecret) secret.require("name", "the name of a Secret")
  if (isInline && isSecret) {
    spec.reader.report("LT0115", spec.at("password"), "password or passwordSecret", "both")
  }
  if (isInline) return { from: "peer" }
  return isSecret ? { from: "secret", namespace: secretNamespace ?? peerNamespace, name: secretName ?? "" } : undefined
}

const readRemoteAs = (spec: Fields): Pick<Peer, "peerAsn" | "dynamicAsn"> => {
  const dynamicAsn = spec.oneOf("dynamicASN", ["internal", "external"])
  const isDynamic = spec.has("dynamicASN") && spec.get("dynamicASN") !== ""
  if (!isDynamic) return { peerAsn: readAsn(spec, "peerASN") ?? 0 }
  if (spec.has("peerASN") && spec.get("peerASN") !== 0) {
    spec.reader.report("LT0115", spec.at("dynamicASN"), "peerASN or dynamicASN", "both")
  }
  return { peerAsn: 0, ...(dynamicAsn === undefined ? {} : { dynamicAsn }) }
}

/** 0 is none, as MetalLB writes it; our own AS would be no other. */
const readLocalAsn = (spec: Fields, myAsn: number | undefined): Pick<Peer, "localAsn"> => {
  if (!spec.has("localASN") || spec.get("localASN") === 0) return {}
  const localAsn = readAsn(spec, "localASN")
  if (localAsn !== undefined && localAsn === myAsn) {
    const fix = "Remove localASN, or write the AS that the router is to see in place of myASN"
    spec.reader.report("LT0115", spec.at("localASN"), "an AS number other than myASN", String(localAsn), fix)
  }
  return localAsn === undefined ? {} : { localAsn }
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

const readAddresses = (spec: Fields): Pick<Peer, "peerAddress" | "interface" | "sourceAddress"> => {
  const unnumbered = spec.parsed("interface", deviceSyntax, parseDevice)
  if (!spec.has("interface") || spec.get("interface") === "") spec.require("peerAddress", "the address of the router")
  else if (spec.has("peerAddress") && spec.get("peerAddress") !== "") {
    spec.reader.report("LT0115", spec.at("interface"), "peerAddress or interface", "both")
  }
  const peerAddress = spec.parsed("peerAddress", addressSyntax, canonicalAddress)
  if (peerAddress !== undefined && !isOneHosts(peerAddress)) {
    const expected = "the address of one router, not the unspecified, the broadcast or a multicast address"
    spec.reader.report("LT0109", spec.at("peerAddress"), expected, show(peerAddress), "Write the router's own address")
  } else if (peerAddress !== undefined && isOfOneLink(peerAddress) && (spec.get("vrf") ?? "") === "") {
    const fix = "Leave peerAddress out, and write the link in interface"
    spec.reader.report(
      "LT0109",
      spec.at("peerAddress"),
      "an address that is known beyond its link",
      show(peerAddress),
      fix
    )
  }
  const sourceAddress = spec.parsed("sourceAddress", addressSyntax, canonicalAddress)
  if (sourceAddress !== undefined && peerAddress !== undefined && familyOf(sourceAddress) !== familyOf(peerAddress)) {
    const expected = `an IPv${familyOf(peerAddress)} address, as peerAddress is`
    spec.reader.report("LT0109", spec.at("sourceAddress"), expected, show(sourceAddress))
  }
  return {
    peerAddress: peerAddress ?? "",
    ...(unnumbered === undefined ? {} : { interface: unnumbered }),
    ...(sourceAddress === undefined ? {} : { sourceAddress })
  }
}

/** Whether one host can have the address: Linux, for one, takes 0.0.0.0 for itself. */
const isOneHosts = (text: string): boolean => {
  const { family, value } = Result.getOrThrow(parseIpAddress(text))
  if (value === 0n) return false
  return family === 4 ? value >> 28n !== 0xen && value !== 0xff_ff_ff_ffn : value >> 120n !== 0xffn
}

/** Such an address is known by its link, of which `vrf` can be the device. */
const isOfOneLink = (text: string): boolean => isLinkLocal(Result.getOrThrow(parseIpAddress(text)))

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
