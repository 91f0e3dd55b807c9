import { Result } from "effect"
import type { Holder, VipState } from "../fleet/stream.ts"

/** Why two Services cannot share an address. */
export interface SharingClash {
  readonly code: "LT0203" | "LT0204"
  readonly expected: string
  readonly found: string
}

/**
 * Whether the holder may be on this VIP beside all the others on it: the same sharing key, no port of the same protocol
 * twice, and the same endpoints behind it where the traffic policy is Local.
 */
export const mayShare = (vip: VipState, holder: Holder): Result.Result<void, SharingClash> => {
  const others = vip.holders.filter((other) => !isSameHolder(other, holder))
  for (const other of others) {
    if (other.adopted === true && others.length < vip.holders.length) continue // they shared it, nobody can say how
    const name = `${other.namespace}/${other.name}`
    if (other.adopted === true)
      return clash("LT0203", "an address that is free", `reserved for ${name}, which held it when history was lost`)
    if (holder.sharingKey === "" || other.sharingKey === "") {
      return clash("LT0203", "an address that is free, or both Services with one sharing key", `held by ${name}`)
    }
    if (holder.sharingKey !== other.sharingKey) {
      return clash(
        "LT0204",
        `sharing key ${JSON.stringify(other.sharingKey)}, as ${name} has`,
        `sharing key ${JSON.stringify(holder.sharingKey)}`
      )
    }
    const port = holder.ports.find((port) => other.ports.includes(port))
    if (port !== undefined)
      return clash("LT0204", "ports that no other Service on the address has", `${port} of ${name}`)
    if (holder.backendKey !== other.backendKey) {
      return clash("LT0204", `${backendText(other.backendKey)}, as ${name} has`, backendText(holder.backendKey))
    }
  }
  return Result.succeed(undefined)
}

/** Whether both are the same Service, by its name. */
export const isSameHolder = (left: HolderName, right: HolderName): boolean =>
  left.namespace === right.namespace && left.name === right.name
type HolderName = Pick<Holder, "namespace" | "name">

/** What a holder's `backendKey` says, in words. */
const backendText = (key: string): string =>
  key === ""
    ? "externalTrafficPolicy Cluster"
    : `externalTrafficPolicy Local with ${key === "Local " ? "no selector" : `selector ${key.slice("Local ".length)}`}`

const clash = (code: SharingClash["code"], expected: string, found: string): Result.Result<never, SharingClash> =>
  Result.fail({ code, expected, found })
