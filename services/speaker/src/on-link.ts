import type { NetworkInterfaceInfo } from "node:os"
import { type IpAddress, parseIpAddress, prefixContains, prefixOf } from "@lowtide/net"
import { Result } from "effect"

/** Whether an address is on one of the node's own networks, by its interfaces as they are now. */
export const isOnLink = (
  interfaces: Readonly<Record<string, ReadonlyArray<Pick<NetworkInterfaceInfo, "cidr">> | undefined>>,
  text: string
): boolean => {
  if (text.includes("%")) return true // link-local, with its zone
  const address = Result.getOrUndefined(parseIpAddress(text))
  if (address === undefined) return false
  return Object.values(interfaces).some((addresses = []) => addresses.some(({ cidr }) => isIn(cidr, address)))
}

/** `cidr` is the interface's own address with the length of its network. */
const isIn = (cidr: string | null, address: IpAddress): boolean => {
  const [own = "", lengthBits = ""] = cidr?.split("/") ?? []
  const parsed = Result.getOrUndefined(parseIpAddress(own))
  return parsed?.family === address.family && prefixContains(prefixOf(parsed, Number(lengthBits)), address)
}
