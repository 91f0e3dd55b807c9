import { Effect } from "effect"
import { execute } from "./execute.ts"
import type { LabError } from "./lab-error.ts"
import { canonicalPrefix, parseJson } from "./router.ts"

/** A route in the kernel of a namespace. `protocol` is who put it there: `bird`, `bgp` (FRR), `kernel`, `static`. */
export interface KernelRoute {
  readonly prefix: string
  readonly protocol: string
  /** Sorted by address. */
  readonly nextHops: ReadonlyArray<{ readonly address: string; readonly device: string }>
}

/** The routes with a next hop address in a namespace's main tables, both families, sorted by prefix. */
export const kernelRoutes = Effect.fnUntraced(function* (namespace: string) {
  const read = (family: "-4" | "-6") =>
    execute(["ip", "-n", namespace, "-j", family, "route", "show", "table", "main"]).pipe(
      Effect.flatMap((text) => parseJson(`ip ${family} route`, text.trim() === "" ? "[]" : text))
    )
  const found = [...((yield* read("-4")) as Array<IpRoute>), ...((yield* read("-6")) as Array<IpRoute>)]
  return mergeByPrefix(found)
})

/** The addresses of the kernel's next hops for one prefix, sorted; none when there is no route. */
export const kernelNextHops = (namespace: string, prefix: string): Effect.Effect<ReadonlyArray<string>, LabError> =>
  Effect.map(kernelRoutes(namespace), (routes) =>
    routes.flatMap((route) => (route.prefix === prefix ? route.nextHops.map((hop) => hop.address) : []))
  )

/** What `ip -j route` prints of a route; `via` is a next hop of the other family. */
interface IpHop {
  readonly gateway?: string
  readonly via?: { readonly host: string }
  readonly dev?: string
}

interface IpRoute extends IpHop {
  readonly dst: string
  readonly protocol?: string
  readonly nexthops?: ReadonlyArray<IpHop>
}

const mergeByPrefix = (found: ReadonlyArray<IpRoute>): ReadonlyArray<KernelRoute> => {
  const byPrefix = new Map<string, KernelRoute>()
  for (const route of found) {
    const hops = (route.nexthops ?? [route]).flatMap((hop) => {
      const address = hop.gateway ?? hop.via?.host
      return address === undefined ? [] : [{ address, device: hop.dev ?? "" }]
    })
    if (hops.length === 0) continue
    const prefix = canonicalPrefix(route.dst)
    const before = byPrefix.get(prefix)?.nextHops ?? []
    const nextHops = [...before, ...hops].sort((left, right) => (left.address < right.address ? -1 : 1))
    byPrefix.set(prefix, { prefix, protocol: route.protocol ?? "", nextHops })
  }
  return [...byPrefix.values()].sort((left, right) => (left.prefix < right.prefix ? -1 : 1))
}
