import type { Result } from "effect"

/** What a receiver does with a malformed attribute, from mild to severe: RFC 7606 §2. */
export type FaultAction = "attribute-discard" | "treat-as-withdraw" | "session-reset"

/** What decides the octets of some attributes: the width of AS numbers, and whether the peer is internal. */
export interface AttributeContext {
  /** Both sides sent the four-octet AS capability: AS_PATH and AGGREGATOR have four octets an AS (RFC 6793 §4.1). */
  readonly fourOctetAs: boolean
  /** The peer is in our own AS (iBGP). */
  readonly isInternal: boolean
  /** The octets a message may have: 4,096 unless RFC 8654 was agreed. */
  readonly messageBytesMax?: number
  /** IPv4 prefixes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop?: boolean
  /** Each prefix has a path identifier before it (RFC 7911 §3). The speaker does not offer it. */
  readonly addPath?: boolean
}

/** Why a value was refused; what follows from it stands in the definition. */
export interface MalformedValue {
  readonly reason: string
  /** Subcode of NOTIFICATION code 3, for when the session is reset. */
  readonly subcode: number
}

/** Well-known attributes are understood by all; optional ones say by `transitive` whether those who do not, pass them on. */
export type AttributeCategory = "well-known" | "optional-transitive" | "optional-non-transitive"

/** One path attribute: all that decoding, encoding, printing and error handling need to know of it. */
export interface AttributeCodec<A> {
  readonly code: number
  /** The name the RFC writes, such as `AS_PATH`. */
  readonly name: string
  readonly category: AttributeCategory
  readonly onMalformed: FaultAction
  /** Where `onMalformed` is written. */
  readonly section: string
  /** Only internal peers may send it; from an external one it is discarded unread (RFC 7606 §7.5, §7.9, §7.10). */
  readonly internalOnly?: true
  /** Only a peer without four-octet AS numbers may send it; from another it is discarded unread (RFC 6793 §6). */
  readonly twoOctetPeersOnly?: true
  readonly decode: (value: Uint8Array, context: AttributeContext) => Result.Result<A, MalformedValue>
  readonly encode: (attribute: A, context: AttributeContext) => Uint8Array
}

/** 3/5: the attribute's length cannot be right. */
export const wrongLength = (expected: string, value: Uint8Array): MalformedValue => ({
  reason: `expected ${expected}, found ${value.length} ${value.length === 1 ? "octet" : "octets"}`,
  subcode: 5
})

/** Bits of the first octet of an attribute: RFC 4271 §4.3. */
export const attributeFlags = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const

/** The optional and transitive bits that a category is sent with. */
export const categoryFlags = (category: AttributeCategory): number => {
  switch (category) {
    case "well-known":
      return attributeFlags.transitive
    case "optional-transitive":
      return attributeFlags.optional | attributeFlags.transitive
    case "optional-non-transitive":
      return attributeFlags.optional
  }
}
