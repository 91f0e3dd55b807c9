import { createPublicKey, type KeyObject } from "node:crypto"
import { Envelope, type KeyRing, open, openAside, readKeyRing, type SignatureFault } from "@lowtide/bus/envelope"
import { headKey, rollCallKey } from "@lowtide/bus/subjects"
import { StateMessage, type VipIntent } from "@lowtide/domain/announcing/intent"
import { messageKey } from "@lowtide/domain/announcing/subject"
import { formatPrefix, hostPrefix, type Prefix, parseIpAddress, parsePrefix, prefixCovers } from "@lowtide/net"
import { Result, Schema } from "effect"

/** Whom this node believes, and what its cluster may announce. Given by the install, never by the centre. */
export interface Trust {
  readonly cluster: string
  /** Keys that sign intents, by id. */
  readonly intentKeys: KeyRing
  readonly allowedPrefixes: ReadonlyArray<Prefix>
}

/** Why a message is not applied; `code` is one of LT0401, LT0402, LT0403, LT0404. */
export interface Refusal {
  /** The subject key that the message came under. */
  readonly key: string
  readonly code: "LT0401" | "LT0402" | "LT0403" | "LT0404"
  /** Names the message by its subject key, says what was expected and what was found. */
  readonly message: string
  /** What it has in common with others that are not worth a line each; missing: its message. */
  readonly fault?: string
}

/** A message that is signed, decodes and speaks of this cluster under its own subject key. */
export interface TrustedMessage {
  readonly key: string
  readonly envelope: string
  readonly message: StateMessage
  /** Set when the message is genuine but may not be announced here: it counts as seen and is not applied. */
  readonly notAllowed: Refusal | undefined
}

const TrustFile = Schema.Struct({
  cluster: Schema.String,
  intentKeys: Schema.Record(Schema.String, Schema.String),
  installKey: Schema.String
})
const AllowedPrefixes = Schema.Struct({ cluster: Schema.String, prefixes: Schema.Array(Schema.String) })
const decodeTrustFile = Schema.decodeUnknownResult(Schema.fromJsonString(TrustFile))
const decodeEnvelope = Schema.decodeUnknownResult(Schema.fromJsonString(Envelope))
const decodeAllowed = Schema.decodeUnknownResult(Schema.fromJsonString(AllowedPrefixes))
const decodeMessage = Schema.decodeUnknownResult(Schema.fromJsonString(StateMessage))
const isMessage = Schema.is(StateMessage)

/**
 * Reads the trust file and the allowed prefixes, an envelope signed by the install's key. The failures are sentences, all
 * that are found; a node that cannot tell whom to believe does not start.
 */
export const readTrust = (files: {
  readonly cluster: string
  readonly trustText: string
  readonly allowedText: string
}): Result.Result<Trust, ReadonlyArray<string>> => {
  const decoded = decodeTrustFile(files.trustText)
  if (Result.isFailure(decoded)) {
    return Result.fail([`trust file: expected {cluster, intentKeys, installKey}: ${oneLine(decoded.failure.message)}`])
  }
  const trust = decoded.success
  const faults: Array<string> = []
  if (trust.cluster !== files.cluster) {
    faults.push(`trust file: expected cluster ${files.cluster}, found ${JSON.stringify(trust.cluster)}`)
  }
  const intentKeys = attempt(() => readKeyRing(trust.intentKeys), "trust file intentKeys", faults)
  if (intentKeys?.size === 0) faults.push("trust file intentKeys: expected at least one key, found none")
  const installKey = attempt(() => createPublicKey(trust.installKey), "trust file installKey", faults)
  if (installKey === undefined || intentKeys === undefined) return Result.fail(faults)
  const allowedPrefixes = readAllowed(files, installKey, faults)
  return faults.length > 0
    ? Result.fail(faults)
    : Result.succeed({ cluster: files.cluster, intentKeys, allowedPrefixes })
}

const attempt = <A>(read: () => A, what: string, faults: Array<string>): A | undefined => {
  try {
    return read()
  } catch (cause) {
    faults.push(`${what}: expected a public key as PEM: ${oneLine(String(cause))}`)
    return undefined
  }
}

const readAllowed = (
  { cluster, allowedText }: { readonly cluster: string; readonly allowedText: string },
  installKey: KeyObject,
  faults: Array<string>
): ReadonlyArray<Prefix> => {
  const envelope = decodeEnvelope(allowedText)
  if (Result.isFailure(envelope)) {
    faults.push("allowed prefixes: expected an envelope {payload, keyId, sig}")
    return []
  }
  // The install key has no id of its own: whatever id the envelope names, this key alone has to have signed it.
  const opened = open(new Map([[envelope.success.keyId, installKey]]), allowedText)
  const allowed = Result.isSuccess(opened) ? decodeAllowed(opened.success) : undefined
  if (Result.isFailure(opened)) {
    faults.push(`allowed prefixes: expected a signature by the install key: ${opened.failure.message}`)
    return []
  }
  if (allowed === undefined || Result.isFailure(allowed)) {
    faults.push("allowed prefixes: expected the payload {cluster, prefixes}")
    return []
  }
  if (allowed.success.cluster !== cluster) {
    faults.push(
      `allowed prefixes: expected those of cluster ${cluster}, found ${JSON.stringify(allowed.success.cluster)}`
    )
  }
  return allowed.success.prefixes.flatMap((text) => {
    const prefix = parsePrefix(text)
    if (Result.isSuccess(prefix)) return prefix.success
    faults.push(`allowed prefixes: ${prefix.failure}`)
    return []
  })
}

/**
 * Judges one message by itself: signature (LT0401), content, cluster and subject key (LT0404), and prefixes, which an
 * aggregate must keep to as a whole (LT0402). Whether it is newer than what is held is `HeldState`'s question.
 */
export const judgeMessage = (trust: Trust, key: string, envelope: string): Judged =>
  judgeOpened(trust, key, envelope, open(trust.intentKeys, envelope))

/** What a message is found to be. */
export type Judged = Result.Result<TrustedMessage, Refusal>

/** The same of many, in their order: signatures are checked in other threads meanwhile. */
export const judgeMessages = <Text extends { readonly key: string; readonly envelope: string }>(
  trust: Trust,
  texts: ReadonlyArray<Text>
): Promise<ReadonlyArray<{ readonly text: Text; readonly judged: Judged }>> =>
  Promise.all(
    texts.map(async (text) => {
      const payload = await openAside(trust.intentKeys, text.envelope)
      return { text, judged: judgeOpened(trust, text.key, text.envelope, payload) }
    })
  )

const judgeOpened = (
  trust: Trust,
  key: string,
  envelope: string,
  payload: Result.Result<string, SignatureFault>
): Judged => {
  if (Result.isFailure(payload)) {
    const { reason, message } = payload.failure
    // A node that lacks a key lacks it for everything.
    const fault = reason === "unknown-key" ? { fault: message } : {}
    return Result.fail({ key, code: "LT0401", message: `${key}: ${message}`, ...fault })
  }
  const decoded = readMessage(payload.success)
  if (Result.isFailure(decoded)) return refuse(key, oneLine(decoded.failure.message))
  const message = decoded.success
  if (message.cluster !== trust.cluster) {
    return refuse(key, `expected cluster ${trust.cluster}, found ${JSON.stringify(message.cluster)}`)
  }
  const ownKey = keyOfMessage(message)
  if (ownKey !== key) return refuse(key, `expected a message of this subject, found one of ${ownKey ?? "none"}`)
  const notAllowed = message._tag === "VipIntent" ? judgePrefixes(trust.allowedPrefixes, key, message) : undefined
  return Result.succeed({ key, envelope, message, notAllowed })
}

/** As it was parsed, where it fits: what decoding makes of it is a copy, whose lists keep room to grow for as long as it is held. */
const readMessage = (payload: string): ReturnType<typeof decodeMessage> => {
  try {
    const parsed: unknown = JSON.parse(payload)
    if (isMessage(parsed)) return Result.succeed(parsed)
  } catch {
    // Decoding says what is wrong.
  }
  return decodeMessage(payload)
}

/** The subject key that a message belongs under; undefined when it names no address. */
const keyOfMessage = (message: StateMessage): string | undefined => {
  if (message._tag === "ClusterHead") return headKey
  if (message._tag === "RollCall") return rollCallKey
  if (message._tag === "VipIntent" && Result.isFailure(parseIpAddress(message.address))) return undefined
  return messageKey(message)
}

/** A tombstone is always allowed: it can announce nothing, and refusing it could keep a route up. */
const judgePrefixes = (allowed: ReadonlyArray<Prefix>, key: string, intent: VipIntent): Refusal | undefined => {
  if (intent.state === "withdrawn") return undefined
  const address = Result.map(parseIpAddress(intent.address), hostPrefix)
  const wanted = [address, ...intent.routes.map((route) => parsePrefix(route.prefix))]
  for (const prefix of wanted) {
    if (Result.isFailure(prefix)) return { key, code: "LT0404", message: `VIP ${intent.address}: ${prefix.failure}` }
    if (!allowed.some((outer) => prefixCovers(outer, prefix.success))) {
      const list = allowed.map(formatPrefix).join(", ")
      return {
        key,
        code: "LT0402",
        message: `VIP ${intent.address}: expected prefixes within [${list}], found ${formatPrefix(prefix.success)}`
      }
    }
  }
  return undefined
}

const refuse = (key: string, why: string): Result.Result<never, Refusal> =>
  Result.fail({ key, code: "LT0404", message: `${key}: ${why}` })

const oneLine = (text: string): string => text.replace(/\s+/g, " ").slice(0, 300)
