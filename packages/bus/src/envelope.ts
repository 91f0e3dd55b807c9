import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto"
import { Option, Result, Schema } from "effect"

/**
 * How a message travels: its payload as the exact text that was signed, the id of the key and the signature. Signed once,
 * when it was committed, and stored so; repeating it changes nothing.
 */
export const Envelope = Schema.Struct({
  payload: Schema.String,
  keyId: Schema.String,
  /** Ed25519 (RFC 8032) over the payload's UTF-8 octets, base64. */
  sig: Schema.String
})
export type Envelope = typeof Envelope.Type

/** A private key and the name under which the fleet knows its public half. */
export interface SigningKey {
  readonly keyId: string
  readonly privateKey: KeyObject
}

/** Public keys by id. */
export type KeyRing = ReadonlyMap<string, KeyObject>

/** Why a message is not to be believed. */
export interface SignatureFault {
  readonly _tag: "SignatureFault"
  readonly reason: "not-an-envelope" | "unknown-key" | "bad-signature"
  readonly message: string
}

/** The envelope's text for a payload. */
export const seal = (key: SigningKey, payload: string): string =>
  JSON.stringify({
    payload,
    keyId: key.keyId,
    sig: sign(null, Buffer.from(payload), key.privateKey).toString("base64")
  } satisfies Envelope)

/** The payload of an envelope whose signature is good; `keys` decides who is believed. */
export const open = (keys: KeyRing, text: string): Result.Result<string, SignatureFault> =>
  Result.flatMap(readSigned(keys, text), (signed) =>
    opened(signed, verify(null, signed.octets, signed.key, signed.sig))
  )

/**
 * The same, with the signature checked in another thread: it is nearly all of the work, and of many envelopes at once
 * each processor checks its share.
 */
export const openAside = async (keys: KeyRing, text: string): Promise<Result.Result<string, SignatureFault>> => {
  const signed = readSigned(keys, text)
  if (Result.isFailure(signed)) return Result.fail(signed.failure)
  const { octets, key, sig } = signed.success
  const fits = await new Promise<boolean>((resolve) =>
    verify(null, octets, key, sig, (error, isGood) => resolve(error === null && isGood))
  )
  return opened(signed.success, fits)
}

/** An envelope with what is to be checked of it. */
interface Signed {
  readonly envelope: Envelope
  readonly octets: Buffer
  readonly key: KeyObject
  readonly sig: Buffer
}

const readSigned = (keys: KeyRing, text: string): Result.Result<Signed, SignatureFault> => {
  const envelope = parseEnvelope(text)
  if (envelope === undefined) {
    return fault("not-an-envelope", `expected {payload, keyId, sig}, found ${JSON.stringify(text.slice(0, 60))}`)
  }
  const key = keys.get(envelope.keyId)
  if (key === undefined) {
    return fault(
      "unknown-key",
      `expected a key of [${[...keys.keys()].join(", ")}], found ${JSON.stringify(envelope.keyId)}`
    )
  }
  return Result.succeed({
    envelope,
    octets: Buffer.from(envelope.payload),
    key,
    sig: Buffer.from(envelope.sig, "base64")
  })
}

const opened = ({ envelope }: Signed, fits: boolean): Result.Result<string, SignatureFault> =>
  fits
    ? Result.succeed(envelope.payload)
    : fault("bad-signature", `the signature by ${envelope.keyId} does not fit the payload`)

const isEnvelope = Schema.is(Envelope)

const parseEnvelope = (text: string): Envelope | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isEnvelope(value) ? value : undefined
  } catch {
    return undefined
  }
}

const fault = (reason: SignatureFault["reason"], message: string): Result.Result<never, SignatureFault> =>
  Result.fail({ _tag: "SignatureFault", reason, message })

/** A new Ed25519 pair as PEM texts: PKCS#8 and SPKI. */
export const generateKey = (): { readonly privatePem: string; readonly publicPem: string } => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString()
  }
}

/** Reads a PEM private key; throws when the text is none or not Ed25519. */
export const readSigningKey = (keyId: string, pem: string): SigningKey => ({
  keyId,
  privateKey: ed25519(`signing key ${keyId}`, createPrivateKey(pem))
})

/** Reads PEM public keys by id; throws when one is none or not Ed25519. */
export const readKeyRing = (pems: Readonly<Record<string, string>>): KeyRing =>
  new Map(Object.entries(pems).map(([keyId, pem]) => [keyId, ed25519(`key ${keyId}`, createPublicKey(pem))]))

const decodeTrustFile = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ intentKeys: Schema.Record(Schema.String, Schema.String) }))
)

/** The keys that sign intents, of a trust file's text; the failure is a sentence. */
export const readIntentKeys = (trustText: string): Result.Result<KeyRing, string> =>
  Result.try({
    try: () => readKeyRing(decodeTrustFile(trustText).intentKeys),
    catch: (cause) => `expected {intentKeys: {id: PEM}}: ${String(cause)}`
  })

const decodeRetired = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ retired: Schema.optionalKey(Schema.Array(Schema.String)) }))
)

/** Those of an allocator's trust file that nodes believe no more. */
export const readRetiredKeys = (trustText: string): ReadonlySet<string> =>
  new Set(Option.getOrUndefined(decodeRetired(trustText))?.retired ?? [])

const ed25519 = (name: string, key: KeyObject): KeyObject => {
  if (key.asymmetricKeyType === "ed25519") return key
  throw new TypeError(`${name}: expected an Ed25519 key, found ${key.asymmetricKeyType}`)
}
