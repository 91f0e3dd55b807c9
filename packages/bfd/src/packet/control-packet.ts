/** A session's state as packets carry it, RFC 5880 §4.1: the number is the place in this list. */
export const sessionStates = ["AdminDown", "Down", "Init", "Up"] as const
export type SessionState = (typeof sessionStates)[number]

/** The Control packet of RFC 5880 §4.1 without authentication. Intervals are in microseconds, as on the wire. */
export interface ControlPacket {
  /** Why the sender's state last changed: see `diagnosticNames`. */
  readonly diagnostic: number
  readonly state: SessionState
  readonly poll: boolean
  readonly final: boolean
  /** The C bit: the sender's BFD does not share the fate of its control plane. */
  readonly controlPlaneIndependent: boolean
  /** The D bit: the sender wants no periodic packets. */
  readonly demand: boolean
  readonly detectMult: number
  readonly myDiscriminator: number
  /** The receiver's discriminator, 0 as long as it is unknown. */
  readonly yourDiscriminator: number
  readonly desiredMinTxUs: number
  readonly requiredMinRxUs: number
  readonly requiredMinEchoRxUs: number
}

/** Octets of a packet without an authentication section. */
export const controlPacketBytes = 24

/** The one version there is. */
export const bfdVersion = 1

/** The bits of the second octet: RFC 5880 §4.1. */
export const flagBits = {
  poll: 0x20,
  final: 0x10,
  controlPlaneIndependent: 0x08,
  authentication: 0x04,
  demand: 0x02,
  multipoint: 0x01
} as const

/** Diagnostic codes that we send. */
export const diagnostics = {
  none: 0,
  detectionTimeExpired: 1,
  neighborSignaledDown: 3,
  administrativelyDown: 7
} as const

/** Diagnostic codes by their IANA number: RFC 5880 §4.1. */
export const diagnosticNames: ReadonlyArray<string> = [
  "No Diagnostic",
  "Control Detection Time Expired",
  "Echo Function Failed",
  "Neighbor Signaled Session Down",
  "Forwarding Plane Reset",
  "Path Down",
  "Concatenated Path Down",
  "Administratively Down",
  "Reverse Concatenated Path Down",
  "Mis-connectivity Defect" // RFC 6428 §3.5
]

/** `1 Control Detection Time Expired`; the number alone where the registry, as known here, has no name. */
export const diagnosticName = (code: number): string => {
  const name = diagnosticNames[code]
  return name === undefined ? String(code) : `${code} ${name}`
}
