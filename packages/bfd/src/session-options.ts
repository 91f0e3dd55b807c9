import { formatIpAddress, type IpAddress, isLinkLocal, parseIpAddress } from "@lowtide/net"
import * as Result from "effect/Result"
import type { SessionConfig } from "./machine/config.ts"
import type { Path } from "./machine/demultiplex.ts"

/** What a session is asked to be. The names and ranges are those of a BFDProfile of MetalLB's, where it has them. */
export interface SessionOptions {
  /** `192.0.2.1`, `2001:db8::1`, or a link-local address with its zone: `fe80::1%eth0`. */
  readonly peerAddress: string
  /** Our address that the peer has its session with; of the peer's family and zone. */
  readonly localAddress: string
  /** `single`: on a link with the peer (RFC 5881); `multi`: through routers (RFC 5883). */
  readonly hops: "single" | "multi"
  /** The interface, or the VRF's device, that the session is bound to. */
  readonly device?: string | undefined
  readonly receiveIntervalMs: number
  readonly transmitIntervalMs: number
  readonly detectMultiplier: number
  /** Whether the peer has to begin. */
  readonly passiveMode: boolean
  /** The least TTL or hop limit of what the peer sends, with `multi` only: with `single` it is always 255. */
  readonly minimumTtl: number
  /** Whether the session is out of use: the peer is told so, and takes it for no failure of the path. */
  readonly adminDown: boolean
}

/** What has to be given; all else has a default. */
export type SessionRequest = Pick<SessionOptions, "peerAddress" | "localAddress"> & Partial<SessionOptions>

/** What is so unless it is said otherwise. */
export const sessionDefaults = {
  hops: "single",
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  passiveMode: false,
  minimumTtl: 254,
  adminDown: false
} as const satisfies Partial<SessionOptions>

type FieldReader = (value: unknown) => Result.Result<unknown, string>

/** A value in a message. What is in a list or an object is not said: deep in each other they cannot be written. */
export const shown = (value: unknown): string => {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object"
  return (JSON.stringify(value) ?? String(value)).slice(0, 80)
}
const expecting =
  (what: string, fits: (value: unknown) => boolean): FieldReader =>
  (value) =>
    fits(value) ? Result.succeed(value) : Result.fail(`expected ${what}, found ${shown(value)}`)
const oneOf = (...words: ReadonlyArray<string>) =>
  expecting(words.join(" or "), (value) => words.includes(value as string))
const boolean = expecting("true or false", (value) => typeof value === "boolean")
const integer = (least: number, most: number) =>
  expecting(
    `a whole number from ${least} to ${most}`,
    (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  )

/** An address in its one spelling, with its zone. */
const address: FieldReader = (value) => {
  const read = typeof value === "string" ? readAddress(value) : undefined
  return read === undefined
    ? Result.fail(`expected an address such as 192.0.2.1 or fe80::1%eth0, found ${shown(value)}`)
    : Result.succeed(`${formatIpAddress(read.address)}${read.zone === undefined ? "" : `%${read.zone}`}`)
}

/** An address and its zone; a zone belongs to a link-local address and to no other. */
export const readAddress = (
  text: string
): { readonly address: IpAddress; readonly zone: string | undefined } | undefined => {
  const [host = "", zone] = text.split("%", 2)
  const address = Result.getOrUndefined(parseIpAddress(host))
  if (address === undefined) return undefined
  return isLinkLocal(address) === (zone !== undefined && zone !== "") ? { address, zone } : undefined
}

const intervalMs = integer(10, 60_000)
const fields: { readonly [Field in keyof SessionOptions]-?: FieldReader } = {
  peerAddress: address,
  localAddress: address,
  hops: oneOf("single", "multi"),
  device: expecting("the name of an interface", (value) => typeof value === "string" && /^[^/\s]{1,15}$/.test(value)),
  receiveIntervalMs: intervalMs,
  transmitIntervalMs: intervalMs,
  detectMultiplier: integer(1, 255),
  passiveMode: boolean,
  minimumTtl: integer(1, 254),
  adminDown: boolean
}

/** Reads what a program asks for. A failure names the field, what was expected and what was found. */
export const readSessionOptions = (value: unknown): Result.Result<SessionOptions, string> => {
  if (typeof value !== "object" || value === null) return Result.fail(`expected an object, found ${shown(value)}`)
  const given: Record<string, unknown> = { ...sessionDefaults, ...value }
  const unknown = Object.keys(given).find((field) => !Object.hasOwn(fields, field))
  if (unknown !== undefined)
    return Result.fail(`${unknown} is no field of a session: ${Object.keys(fields).join(", ")}`)
  const options: Record<string, unknown> = {}
  for (const [field, read] of Object.entries(fields)) {
    if (field === "device" && given[field] === undefined) continue
    const result = read(given[field])
    if (Result.isFailure(result)) return Result.fail(`${field}: ${result.failure}`)
    options[field] = result.success
  }
  return agreeing(options as unknown as SessionOptions)
}

const agreeing = (options: SessionOptions): Result.Result<SessionOptions, string> => {
  const { peerAddress, localAddress } = options
  const [peer, local] = [readAddress(peerAddress), readAddress(localAddress)]
  if (peer?.address.family !== local?.address.family || peer?.zone !== local?.zone) {
    return Result.fail(`localAddress: expected one of the family and zone of ${peerAddress}, found ${localAddress}`)
  }
  if (options.hops === "multi" && peer?.zone !== undefined) {
    return Result.fail(`peerAddress: ${peerAddress} is on the link, so its hops are "single"`)
  }
  return Result.succeed(options)
}

/** Where such a session runs. */
export const pathOf = ({ hops, localAddress, peerAddress, device }: SessionOptions): Path => ({
  hops,
  localAddress,
  peerAddress,
  device
})

/** What its machine is told. BFD is a process of its own that outlives the speaker: the C bit is always set (ADR 70). */
export const configOf = (options: SessionOptions, localDiscriminator: number): SessionConfig => ({
  localDiscriminator,
  desiredMinTxUs: options.transmitIntervalMs * 1000,
  requiredMinRxUs: options.receiveIntervalMs * 1000,
  detectMult: options.detectMultiplier,
  role: options.passiveMode ? "passive" : "active",
  controlPlaneIndependent: true
})
