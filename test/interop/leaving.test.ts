import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { hasRoute, setupFor } from "./bgp-cases.ts"
import { type BgpLab, eventually, makeBgpLab } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { startLoneNode } from "./explain-lab.ts"

/** RFC 8326 §4.2, by number and as FRR writes it. */
const gracefulShutdown = ["65535:0", "graceful-shutdown"]

const prefixes = [
  [4, "198.51.100.1"],
  [6, "2001:db8:1::1"]
] as const

describe.each([
  ["BIRD", startBird],
  ["FRR", startFrr]
] as const)("a node that leaves for good, with %s", (name, start) => {
  let lab: BgpLab
  const open: Array<() => Promise<void>> = []
  beforeAll(async () => {
    lab = await makeBgpLab()
  })
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
  })
  afterAll(() => lab.close())

  it("has its routes told as the last choice first (RFC 8326), then they go, and the router hears why (RFC 9003)", async () => {
    const router = await start(lab.router, setupFor())
    open.push(router.kill)
    const node = await startLoneNode(lab, {
      peer: {},
      prefixes: prefixes.map(([, address]) => address),
      environment: { LOWTIDE_LEAVE_SECONDS: "5" }
    })
    open.push(node.close)
    const host = ([family, address]: (typeof prefixes)[number]) => `${address}/${family === 4 ? 32 : 128}`
    const isLastChoice = (communities: ReadonlyArray<string>) =>
      communities.some((community) => gracefulShutdown.includes(community))
    for (const each of prefixes) {
      assert.isFalse(isLastChoice((await hasRoute(router, each[0], host(each))).communities))
    }
    node.signal("SIGTERM")
    for (const each of prefixes) {
      await eventually(
        async () => (await router.routes(each[0])).get(host(each))?.communities ?? [],
        isLastChoice,
        `${host(each)} with GRACEFUL_SHUTDOWN`
      )
    }
    for (const [family] of prefixes) {
      await eventually(
        () => router.count(family),
        (count) => count === 0,
        `no IPv${family} route is left`
      )
    }
    await eventually(router.isUp, (isUp) => !isUp, "the session is over at the router")
    if (name === "BIRD") assert.match(await router.log(), /node leaves/) // FRR 8.4 logs no text
  })
})
