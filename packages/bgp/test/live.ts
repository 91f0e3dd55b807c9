import { hostPrefix } from "@lowtide/net"
import { Effect } from "effect"
import type { RouteAttributes } from "../src/index.ts"

/** Asks every other millisecond until it is so; fails after 20 s, naming what was waited for. */
export const until = (what: string, test: () => boolean): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (const deadline = performance.now() + 20_000; !test(); ) {
      if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })

/** What a route says that says nothing but its prefix. */
export const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] }

/** So many host routes from 198.18.0.0 on. */
export const routes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    prefix: hostPrefix({ family: 4, value: 0xc6120000n + BigInt(index) }),
    attributes: plain
  }))
