/**
 * The native speaker as a sender: the same host routes to each of its peers. Reads a JSON object a line,
 * `{"from":N,"count":N,"op":"announce"|"withdraw"}`, addresses as numbers; prints `ready` after the first.
 *
 * Run as `node native-main.ts ROUTER-ID ASN LOCAL-ROUTER…`, two addresses a session.
 */
import { createInterface } from "node:readline"
import { startPeer } from "@lowtide/bgp"
import type { RouteAttributes, RouteChange } from "@lowtide/bgp/route"
import { hostPrefix } from "@lowtide/net"
import { Effect } from "effect"
import { routerAsn } from "./lab.ts"

const [routerId = "", asn = "", ...ends] = process.argv.slice(2)
const attributes: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] }

/** Made once: what is measured is the speaker, from its being told on. */
const made = new Map<string, ReadonlyArray<RouteChange>>()

const changesOf = (from: number, count: number, op: Line["op"]): ReadonlyArray<RouteChange> => {
  const key = `${from} ${count} ${op}`
  const known = made.get(key)
  if (known !== undefined) return known
  const announced = op === "announce"
  const changes = Array.from({ length: count }, (_, index) => ({
    prefix: hostPrefix({ family: 4, value: BigInt(from + index) }),
    attributes: announced ? attributes : undefined
  }))
  made.set(key, changes)
  return changes
}

interface Line {
  readonly from: number
  readonly count: number
  readonly op: "announce" | "withdraw"
}

const main = Effect.gen(function* () {
  const peers = yield* Effect.forEach(ends, (pair) => {
    const [local = "", router = ""] = pair.split("-")
    return startPeer(
      {
        name: router,
        host: router,
        port: 179,
        localAddress: local,
        localAsn: Number(asn),
        peerAsn: routerAsn,
        routerId,
        holdTimeSeconds: 90,
        connectRetrySeconds: 0.2,
        families: [4]
      },
      () => {}
    )
  })
  let isFirst = true
  yield* Effect.promise(async () => {
    for await (const text of createInterface({ input: process.stdin })) {
      const { from, count, op } = JSON.parse(text) as Line
      const changes = changesOf(from, count, op)
      for (const peer of peers) peer.change(changes)
      if (isFirst) changesOf(from, count, "withdraw")
      if (isFirst) process.stdout.write("ready\n")
      isFirst = false
    }
  })
})

await Effect.runPromise(Effect.scoped(main))
