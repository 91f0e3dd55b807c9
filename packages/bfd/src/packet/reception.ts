import { bfdVersion, controlPacketBytes, flagBits } from "./control-packet.ts"

/** One rule of RFC 5880 §6.8.6: what is wrong with a datagram, or nothing. A rule may rely on those before it. */
interface ReceptionRule {
  readonly reason: string
  readonly fault: (octets: Uint8Array) => string | undefined
}

/** Smallest Length with an authentication section: RFC 5880 §6.8.6. */
const authenticatedBytesMin = 26

const isZero = (octets: Uint8Array, offset: number): boolean =>
  octets.subarray(offset, offset + 4).every((octet) => octet === 0)

const saying = (isFault: boolean, text: () => string): string | undefined => (isFault ? text() : undefined)

/** The rules that need no session, in the RFC's order. */
export const receptionRules = [
  {
    reason: "too-short", // the fixed part must be there before anything of it is read
    fault: ({ length }) =>
      saying(length < controlPacketBytes, () => `expected ${controlPacketBytes} octets or more, found ${length}`)
  },
  {
    reason: "version",
    fault: ([first]) => saying(first! >> 5 !== bfdVersion, () => `expected version 1, found ${first! >> 5}`)
  },
  {
    reason: "length-too-small",
    fault: (octets) => {
      const least = (octets[1]! & flagBits.authentication) !== 0 ? authenticatedBytesMin : controlPacketBytes
      return saying(octets[3]! < least, () => `expected a Length of ${least} or more, found ${octets[3]}`)
    }
  },
  {
    reason: "length-beyond-payload",
    fault: (octets) =>
      saying(octets[3]! > octets.length, () => `a Length of ${octets[3]} in a payload of ${octets.length} octets`)
  },
  {
    reason: "detect-mult-zero",
    fault: (octets) => saying(octets[2] === 0, () => "the Detect Mult is 0")
  },
  {
    reason: "multipoint",
    fault: (octets) => saying((octets[1]! & flagBits.multipoint) !== 0, () => "the Multipoint bit is set")
  },
  {
    reason: "my-discriminator-zero",
    fault: (octets) => saying(isZero(octets, 4), () => "My Discriminator is 0")
  },
  {
    reason: "your-discriminator-zero",
    fault: (octets) =>
      saying(isZero(octets, 8) && octets[1]! >> 6 > 1, () => "Your Discriminator is 0 in a state other than Down")
  },
  {
    reason: "authentication", // the RFC looks after it has found the session; none of ours uses any
    fault: (octets) =>
      saying((octets[1]! & flagBits.authentication) !== 0, () => "authentication is not in use with any peer")
  }
] as const satisfies ReadonlyArray<ReceptionRule>

/** Reasons that need a session, or the want of one: see `machine/demultiplex.ts`. */
export type SessionDiscardReason = "unknown-discriminator" | "unknown-peer" | "other-path"

/** Every reason for which a datagram may be discarded. */
export type DiscardReason = (typeof receptionRules)[number]["reason"] | SessionDiscardReason
