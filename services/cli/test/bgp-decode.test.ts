import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

const marker = "ff".repeat(16)
const keepalive = `${marker}001304`
/** An UPDATE of AS 64501 for 203.0.113.0/24, with ORIGIN 9. */
const malformed = `${marker} 002f 02 0000 0014 40010109 4002060201 0000fbf5 400304c0000201 18cb0071`

describe("lowtide bgp decode", () => {
  it("prints the fields of a message, asks no server and ends with 0", async () => {
    const { stdout, exitCode, asked } = await lowtide(["bgp", "decode", keepalive, "-o", "json"])
    expect([JSON.parse(stdout), exitCode, asked]).toEqual([{ type: "KEEPALIVE", fields: {}, error: null }, 0, []])
  })

  it("says what is wrong and what RFC 7606 asks, and ends with 1", async () => {
    const { stdout, exitCode } = await lowtide(["bgp", "decode", malformed, "--as4"])
    expect(stdout).toBe(`UPDATE
  attributes:
    AS_PATH: 64501
    NEXT_HOP: 192.0.2.1
  nlri:
    203.0.113.0/24
treat-as-withdraw: ORIGIN expected 0, 1 or 2, found 9 (RFC 7606 §7.1)
`)
    expect(exitCode).toBe(1)
  })

  it("leaves out what is empty, and counts one octet as one", async () => {
    const cease = await lowtide(["bgp", "decode", `${marker}0015030602`])
    expect(cease.stdout).not.toMatch(/data/)
    expect((await lowtide(["bgp", "decode", `${marker}001703060200ff`])).stdout).toMatch(/data: 00ff/)
    expect((await lowtide(["bgp", "decode", `${keepalive}00`])).stdout).toMatch(/: 1 octet follows the message/)
    expect((await lowtide(["bgp", "decode", `${keepalive}0000`])).stdout).toMatch(/: 2 octets follow the message/)
  })

  it("says in words what has parts of its own, and what a capability is that is not read", async () => {
    const open = `${marker} 0035 01 04 fbf5 005a c0000201 18 0216 4006 4078 00010180 4504 00010103 0104 00010001 0200`
    expect((await lowtide(["bgp", "decode", open])).stdout).toBe(`OPEN
  version: 4
  asn: 64501
  holdTimeSeconds: 90
  routerId: 192.0.2.1
  capabilities:
    graceful restart: restartTimeSeconds 120, restarted false, notification true, families (afi 1, safi 1, family ipv4 unicast, forwardingPreserved true)
    add-path: 00010103
    multiprotocol: afi 1, safi 1, family ipv4 unicast
    route refresh
`)
  })

  it("names the End-of-RIB marker of a family", async () => {
    expect((await lowtide(["bgp", "decode", `${marker}00170200000000`])).stdout).toBe(
      "UPDATE\n  endOfRib: ipv4 unicast\n"
    )
    expect((await lowtide(["bgp", "decode", `${marker}001d0200000006800f03000201`])).stdout).toBe(
      "UPDATE\n  endOfRib: ipv6 unicast\n  attributes:\n    MP_UNREACH_NLRI: family ipv6 unicast\n"
    )
    expect((await lowtide(["bgp", "decode", malformed, "--as4"])).stdout).not.toMatch(/endOfRib/)
  })

  it("takes what the session agreed on from its flags", async () => {
    const error = async (...flags: ReadonlyArray<string>) =>
      JSON.parse((await lowtide(["bgp", "decode", malformed, ...flags, "--json"])).stdout).error
    expect((await error("--as4", "--state", "OpenConfirm")).notification).toEqual({ code: 5, subcode: 2 })
    expect((await error("--as4", "--peer-as", "64500")).reason).toMatch(/does not begin with the peer's AS 64500/)
    expect((await error("--as4", "--session", "ibgp")).reason).toMatch(/LOCAL_PREF is missing/)
    expect((await error()).reason).toMatch(/AS_PATH/)
  })

  it.each([
    ["abc", "error: expected an even number of hexadecimal digits, found 3; "],
    ["0xzz", 'error: expected hexadecimal digits, found "z"; ']
  ])("refuses %s with 2", async (hex, message) => {
    const { stderr, exitCode } = await lowtide(["bgp", "decode", hex])
    expect([stderr.slice(0, message.length), exitCode]).toEqual([message, 2])
  })

  it("reads one message a line from standard input, and goes on after one that is none", () => {
    const main = join(import.meta.dirname, "../src/main.ts")
    const input = `${keepalive}\n\nnot one\n${malformed}\n`
    const ran = spawnSync(process.execPath, [main, "bgp", "decode", "-", "--as4", "-o", "json"], { input })
    const types = String(ran.stdout)
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type)
    expect([types, ran.status]).toEqual([["KEEPALIVE", "UPDATE"], 2])
    expect(String(ran.stderr)).toMatch(/^line 3: expected hexadecimal digits, found "n"\n/)
  })
})
