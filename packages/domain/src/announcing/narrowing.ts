import { parseAddresses, parsePrefix, prefixesMeet } from "@lowtide/net"
import { Result } from "effect"

/** Which sessions and routes are asked about; what is absent narrows nothing. */
export interface Narrowing {
  readonly cluster?: string
  readonly node?: string
  readonly peer?: string
  /** An address or a prefix: routes in it, and aggregates that hold it. */
  readonly prefix?: string
}

/** Whether a route's prefix is asked about. */
export const asksAbout = ({ prefix: text }: Narrowing): ((prefix: string) => boolean) => {
  const asked = text === undefined ? undefined : Result.getOrUndefined(parseAddresses(text))
  if (asked === undefined) return () => text === undefined
  return (prefix) => {
    const parsed = Result.getOrUndefined(parsePrefix(prefix))
    return parsed !== undefined && prefixesMeet(asked, parsed)
  }
}
