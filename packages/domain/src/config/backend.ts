import type { FindingCode } from "./codes.ts"
import { type Peer, peerAnnotations } from "./peer.ts"

/** What turns intents into BGP on a node: Lowtide's own BGP-4, the FRR on the node, or FRR-K8s. */
export const backends = ["native", "frr", "frr-k8s"] as const
export type Backend = (typeof backends)[number]

/** Something that a peer asks for and a backend does not do. */
export interface BackendLimit {
  readonly code: FindingCode
  readonly field: string
  readonly expected: string
  readonly found: string
  readonly fix?: string
}

/** Annotations that ask something of FRR itself; what `standby` asks for is what a peer is told and what not. */
const ofFrr = ["ttlSecurityHops", "maximumPrefixes", "role", "roleStrict"] as const satisfies ReadonlyArray<
  keyof typeof peerAnnotations
>

/** The largest port that an FRRConfiguration holds (frr-k8s, api/v1beta1). */
export const frrK8sPortMax = 16_384

/**
 * What the backend cannot do of this peer. An error means that the session would be another one than the one asked for,
 * so that there is none; a warning that there is one without it.
 */
export const peerLimits = (peer: Peer, backend: Backend): ReadonlyArray<BackendLimit> => {
  switch (backend) {
    case "native":
      return nativeLimits(peer)
    case "frr":
      return frrLimits(peer)
    case "frr-k8s":
      return [...frrLimits(peer), ...frrK8sLimits(peer)]
  }
}

const nativeLimits = (peer: Peer): ReadonlyArray<BackendLimit> => {
  const limits: Array<BackendLimit> = []
  const limit = (code: FindingCode, name: string, expected: string, found: string, fix?: string) =>
    limits.push({ code, field: `spec.${name}`, expected, found, ...(fix === undefined ? {} : { fix }) })
  if (peer.interface !== undefined && peer.sourceAddress !== undefined) {
    const expected = "nothing beside interface: a session over link-local addresses has the interface's own"
    limit("LT0134", "sourceAddress", expected, JSON.stringify(peer.sourceAddress))
  }
  const fix = "Remove it: a session carries every IP version that both sides support"
  if (peer.disableMP === true) limit("LT0134", "disableMP", "nothing", "true", fix)
  if (peer.dualStackAddressFamily === true) limit("LT0134", "dualStackAddressFamily", "nothing", "true", fix)
  return limits
}

const frrLimits = (peer: Peer): ReadonlyArray<BackendLimit> =>
  peer.disableMP === true
    ? [{ code: "LT0134", field: "spec.disableMP", expected: "nothing", found: "true", fix: "Remove it" }]
    : []

const frrK8sLimits = (peer: Peer): ReadonlyArray<BackendLimit> => [
  ...(peer.peerPort <= frrK8sPortMax
    ? []
    : [
        {
          ...{ code: "LT0108" as const, field: "spec.peerPort", found: String(peer.peerPort) },
          expected: `a whole number in 1..${frrK8sPortMax}, which is all that an FRRConfiguration holds`
        }
      ]),
  ...ofFrr.flatMap((setting) =>
    peer[setting] === undefined ? [] : notInFrrK8s(peerAnnotations[setting], String(peer[setting]))
  )
]

/** An annotation of ours for which an FRRConfiguration has no field. */
export const notInFrrK8s = (annotation: string, found: string): BackendLimit => ({
  ...{ code: "LT0134", field: `metadata.annotations[${annotation}]`, found, fix: "Remove it, or set it in FRR itself" },
  expected: "nothing: an FRRConfiguration has no field for it"
})
