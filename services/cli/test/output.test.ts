import { describe, expect, it } from "vitest"
import { diff, lowtide, type Ran, services } from "./fixture.ts"

/** A whole run as a golden file shows it. `vitest --update` rewrites them. */
const shown = ({ exitCode, stdout, stderr }: Ran): string =>
  `${stdout}---- error stream\n${stderr}---- exit ${exitCode}\n`

const goldens = [
  ["get-services", "get services"],
  ["get-services-wide", "get svc -o wide"],
  ["get-pools", "get po"],
  ["get-pools-wide", "get pools -o wide"],
  ["get-vips", "get vips"],
  ["get-vips-wide", "get vi -o wide"],
  ["get-reservations", "get reservations -o wide"],
  ["get-quotas", "get qu"],
  ["get-approvals", "get ap -o wide"],
  ["approve", "approve w-1 --reason CHG-955"],
  ["reserve", "reserve 192.0.2.9 --for east/shop/web"],
  ["node-retire", "node retire east/east-1 --reason dead"],
  ["vip-force-release-again", "vip force-release 192.0.2.2 --reason dead"],
  ["get-peers", "get peers"],
  ["get-peers-wide", "get peers -o wide"],
  ["bgp-peers", "bgp peers"],
  ["bgp-peers-wide", "bgp peers -o wide"],
  ["bgp-routes", "bgp routes --cluster east"],
  ["bgp-routes-wide", "bgp routes -o wide"],
  ["bgp-flaps", "bgp flaps"],
  ["bgp-explain-peer", "bgp explain tor-a"],
  ["bgp-explain-prefix", "bgp explain 192.0.2.1"],
  ["bgp-explain-nobody", "bgp explain nobody"],
  ["bgp-help", "bgp --help"],
  ["get-nodes", "get no -o wide"],
  ["get-evidence", "get evidence"],
  ["get-evidence-wide", "get ev/192.0.2.4 -o wide"],
  ["get-findings", "get findings"],
  ["get-findings-wide", "get findings -o wide"],
  ["get-help", "get --help"],
  ["help", "--help"],
  ["audit-help", "audit --help"],
  ["ledger-help", "ledger --help"],
  ["ledger-status", "ledger status"],
  ["fleet-version", "fleet version"],
  ["fleet-finalise", "fleet finalise --reason upgraded"],
  ["fleet-help", "fleet --help"],
  ["ledger-archive", "ledger archive --to /archive --older-than 2h --drop"],
  ["history", "history service/east/shop/web"],
  ["history-wide", "history service/east/shop/web -o wide"],
  ["history-help", "history --help"],
  ["diff", "diff --from 12 --to 24"],
  ["why", "why service/east/shop/web"],
  ["why-wide", "why service/east/shop/web -o wide"],
  ["trace", "trace service/east/shop/web"],
  ["trace-wide", "-o wide trace service/east/shop/web"],
  ["who", "who 192.0.2.1"],
  ["who-nobody", "who 192.0.2.9"]
] as const

describe("output", () => {
  for (const [name, commandLine] of goldens) {
    it(`of lowtide ${commandLine}`, async () => {
      await expect(shown(await lowtide(commandLine))).toMatchFileSnapshot(`golden/${name}.txt`)
    })
  }

  it("as JSON is the API's object, under both spellings and wherever the flag stands", async () => {
    for (const commandLine of ["get services -o json", "get services --json", "--json get services"]) {
      const { stdout, exitCode } = await lowtide(commandLine)
      expect(JSON.parse(stdout)).toEqual(services)
      expect(exitCode).toBe(0)
    }
  })

  it("has colours on a terminal only, and the same columns with them", async () => {
    const plain = await lowtide("get services")
    const coloured = await lowtide("get services", { hasColour: true })
    expect(plain.stdout).not.toContain("\u001b")
    expect(coloured.stdout).toContain("\u001b[32mAnnounced\u001b[0m")
    // biome-ignore lint/complexity/useRegexLiterals: an escape in a literal reads worse
    expect(coloured.stdout.replace(new RegExp("\u001b\\[\\d+m", "g"), "")).toBe(plain.stdout)
  })

  it("of a shell's completion is a script that knows every verb", async () => {
    for (const shell of ["bash", "zsh", "fish", "powershell"]) {
      const { stdout, exitCode } = await lowtide(`completion ${shell}`)
      expect(exitCode, shell).toBe(0)
      for (const verb of ["history", "explain", "completion"]) expect(stdout, shell).toContain(verb)
    }
    expect((await lowtide("completion tcsh")).exitCode).toBe(2)
  })

  it("on a terminal that is narrower than a table has its last column in lines", async () => {
    const { stdout } = await lowtide("history service/east/shop/web", { screenColumns: 100 })
    for (const line of stdout.trimEnd().split("\n")) expect(line.length).toBeLessThanOrEqual(100)
    const wide = await lowtide("history service/east/shop/web")
    expect(stdout.replace(/\n +/g, " ")).toBe(wide.stdout)
  })

  it("of a difference as JSON is one object, however many pages it came in", async () => {
    const [moved, removed] = diff.items
    const pageOf = (items: ReadonlyArray<unknown>, next: string | null) => Response.json({ ...diff, items, next })
    const pages: Readonly<Record<string, (url: string) => Response>> = {
      none: () => pageOf([], null),
      one: () => pageOf(diff.items, null),
      two: (url) => (url.includes("after=12-24-1") ? pageOf([removed], null) : pageOf([moved], "12-24-1"))
    }
    for (const [name, page] of Object.entries(pages)) {
      const fetch = async (input: unknown) => page(String(input))
      const { stdout } = await lowtide("diff --from 12 -o json", { fetch: fetch as typeof globalThis.fetch })
      expect(stdout, name).toBe(`${JSON.stringify(JSON.parse(stdout), null, 2)}\n`)
      expect(JSON.parse(stdout), name).toEqual({ ...diff, items: name === "none" ? [] : diff.items, next: null })
    }
  })

  it("of one object is the list with that object alone", async () => {
    const { stdout } = await lowtide("get service/east/shop/web --json")
    expect(JSON.parse(stdout)).toEqual({ ...services, items: [services.items[1]] })
  })
})

describe("lowtide bgp explain ADDRESS", () => {
  it("is of the peer with that address, however it is written", async () => {
    const { stdout } = await lowtide("bgp explain 192.0.2.254")
    expect(stdout).toMatch(/^Session of node east\/east-1 .* with tor-a /)
    expect((await lowtide("bgp explain ::FFFF:192.0.2.254")).stdout).toBe(stdout)
  })
})

describe("lowtide bgp explain -o json", () => {
  it("has a sentence an item, those of the terminal's lines", async () => {
    for (const target of ["tor-a", "192.0.2.1"]) {
      const { text } = JSON.parse((await lowtide(["bgp", "explain", target, "-o", "json"])).stdout)
      const { stdout } = await lowtide(["bgp", "explain", target])
      expect(text).toEqual(stdout.trimEnd().split(/\n */))
      expect(text.length).toBeGreaterThan(4)
    }
  })
})
