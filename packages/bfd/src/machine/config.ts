/** What the machine is told of one session. Everything but the discriminator may change while it lives. */
export interface SessionConfig {
  /** bfd.LocalDiscr: not 0, unique on this system, hard to guess (RFC 5880 §6.3). */
  readonly localDiscriminator: number
  /** The least interval between packets that we wish to send once the session is up. */
  readonly desiredMinTxUs: number
  /** The least interval between packets that we can take. */
  readonly requiredMinRxUs: number
  /** 1..255: our peer takes us for down after so many of our intervals. */
  readonly detectMult: number
  /** `passive`: nothing is sent before the peer was heard (RFC 5880 §6.1). */
  readonly role: "active" | "passive"
  /** Whether BFD goes on when the control plane, here the speaker, does not: the C bit. */
  readonly controlPlaneIndependent: boolean
}

/** RFC 5880 §6.8.3: no faster than this as long as the session is not up. */
export const slowTxUs = 1_000_000
