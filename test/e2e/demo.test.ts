import { createServer } from "node:net"
import { assert, it } from "vitest"
import { runDemo } from "./run-demo.ts"

it("the demo's routers have just the routes that they should, and traffic passes through them", async () => {
  const { code, stdout, stderr } = await runDemo(["--once", "--json", "--api-port", "0"])
  const summary = JSON.parse(stdout || "null")
  assert.strictEqual(code, 0, `${stderr}\n${stdout}`)
  assert.strictEqual(stdout.trim().split("\n").length, 1, "one line on stdout")
  assert.isAtLeast(summary.services, 39)
  assert.deepStrictEqual(summary.differences, [])
  assert.strictEqual(summary.routers.east.router, "bird")
  assert.strictEqual(summary.routers.west.router, "frr")
  for (const { routesExpected, routesFound } of Object.values<{ routesExpected: number; routesFound: number }>(
    summary.routers
  )) {
    assert.strictEqual(routesFound, routesExpected)
    assert.isAtLeast(routesFound, 15)
  }
  assert.isTrue(summary.traffic.length === 2 && summary.traffic.every(({ ok }: { ok: boolean }) => ok))
  assert.isBelow(summary.secondsToFirstRoute, summary.secondsToAllRoutes + 0.001)
})

it("without namespaces the demo runs over loopback and says what it left out", async () => {
  const { code, stdout, stderr } = await runDemo(["--once", "--json", "--loopback", "--api-port", "0"])
  assert.strictEqual(code, 0, `${stderr}\n${stdout}`)
  const summary = JSON.parse(stdout)
  assert.strictEqual(summary.ground, "loopback")
  assert.deepStrictEqual(summary.differences, [])
  assert.include(stderr, "left out: FRR, BFD")
})

it("a verification that is interrupted is no success", async () => {
  const args = ["--once", "--json", "--loopback", "--api-port", "0"]
  const { code, stdout, stderr } = await runDemo(args, {}, "PostgreSQL and NATS")
  assert.strictEqual(code, 130, stderr)
  assert.strictEqual(stdout, "")
  assert.include(stderr, "stopping")
})

it("a wrong option ends with exit code 2 and says what is expected", async () => {
  const { code, stdout, stderr } = await runDemo(["--onse"])
  assert.strictEqual(code, 2)
  assert.strictEqual(stdout, "")
  assert.include(stderr, '"--onse"')
})

it("a port that is taken is told before anything is started", async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => void taken.listen(0, "127.0.0.1", () => resolve()))
  const address = taken.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const { code, stderr } = await runDemo(["--once", "--json", "--api-port", String(port)])
  taken.close()
  assert.strictEqual(code, 1)
  assert.match(
    stderr,
    new RegExp(`serve the API on 127\\.0\\.0\\.1 port ${port}: something listens there already; .*--api-port`)
  )
  assert.notInclude(stderr, "PostgreSQL")
})
