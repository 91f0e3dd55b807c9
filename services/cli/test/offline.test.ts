import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { lowtide, type Ran } from "./fixture.ts"

const root = join(import.meta.dirname, "../../..")

/** A command line that asks no server, run where the fixtures are. */
const offline = async (commandLine: string, workingFolder = join(import.meta.dirname, "fixtures")): Promise<Ran> => {
  const ran = await lowtide(commandLine, { workingFolder })
  expect(ran.asked).toEqual([])
  return ran
}

const shown = ({ exitCode, stdout, stderr }: Ran): string =>
  `${stdout}---- error stream\n${stderr}---- exit ${exitCode}\n`

const goldens = [
  ["lint-good", "lint -f good"],
  ["lint-bad", "lint -f bad"],
  ["lint-bad-json", "lint -f bad -o json"],
  ["lint-bad-sarif", "lint -f bad -o sarif"],
  ["lint-bad-frr-k8s", "lint --backend frr-k8s -f bad"],
  ["preview-good", "preview -f good"],
  ["preview-good-in-order", "preview -f good --services-in-order"],
  ["preview-good-json", "preview -f good --json"],
  ["preview-bad", "preview -f bad"],
  ["lint-fleet", "lint -f fleet"],
  ["lint-fleet-json", "lint -f fleet --json"],
  ["preview-fleet", "preview -f fleet"],
  ["lint-help", "lint --help"]
] as const

describe("offline verbs", () => {
  for (const [name, commandLine] of goldens) {
    it(`print of lowtide ${commandLine}`, async () => {
      const text = shown(await offline(commandLine))
      expect(text).not.toContain("opensesame")
      await expect(text).toMatchFileSnapshot(`golden/${name}.txt`)
    })
  }

  it("tell of an object with an error what else is wrong with it, at its place", async () => {
    const { stdout, exitCode } = await offline("lint -f faulty")
    expect(stdout).toMatch(/LT0114 faulty\/all\.yaml:12 /)
    expect(stdout).toMatch(/LT0124 faulty\/all\.yaml:15 /)
    expect(exitCode).toBe(1)
  })

  it("preview a Service with errors as one that gets nothing, and tell of each error once", async () => {
    const { findings, services } = JSON.parse((await offline("preview -f faulty-services --json")).stdout)
    expect(services.map(({ name, addresses, pool }: Record<string, unknown>) => ({ name, addresses, pool }))).toEqual([
      { name: "right", addresses: ["192.0.2.0"], pool: "public" },
      { name: "both", addresses: [], pool: null },
      { name: "bogus", addresses: [], pool: null }
    ])
    expect(services[1].reason).toMatch(/^LT0115 Service shop\/both spec\.loadBalancerIP: /)
    expect(findings.map(({ code }: Record<string, unknown>) => code)).toEqual(["LT0115", "LT0206", "LT0109"])
    expect((await offline("preview -f faulty-services")).stdout).toMatch(/1 of 3 Services would have addresses/)
  })

  it("find no file where a link of such a name leads nowhere", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-lint-"))
    symlinkSync("nowhere", join(folder, "a.yaml"))
    const { exitCode, stderr } = await offline(`lint -f ${folder}`)
    rmSync(folder, { recursive: true })
    expect(stderr).toContain("expected files named *.yaml, *.yml or *.json, found none in ")
    expect(exitCode).toBe(2)
  })

  it("find nothing to judge in files without an object that is read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-lint-"))
    writeFileSync(join(folder, "a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    for (const commandLine of [`lint -f ${folder}`, `lint -f ${folder}/a.yaml -o json`, `preview -f ${folder}`]) {
      const { exitCode, stdout, stderr } = await offline(commandLine)
      expect(stdout).toBe("")
      expect(stderr).toMatch(
        /^error: filename: expected an object of a kind that Lowtide reads \(.*BGPPeer.*\), found none in .*; name/
      )
      expect(exitCode).toBe(2)
    }
    writeFileSync(join(folder, "a.yaml"), "kind: [")
    expect((await offline(`lint -f ${folder}`)).stdout).toContain("LT0101")
    rmSync(folder, { recursive: true })
  })

  it("read one file as well as its folder", async () => {
    const [folder, file] = [await offline("lint -f bad --json"), await offline("lint -f bad/all.yaml --json")]
    expect(JSON.parse(file.stdout)).toEqual(JSON.parse(folder.stdout))
    expect((await offline("lint -f bad/all.yaml")).stdout).toContain("bad/all.yaml:6")
  })

  it("know Services without a pool beside them for part of a configuration, which is no fault", async () => {
    const { stdout } = await offline("preview -f good/services.yaml --json")
    const { findings, services } = JSON.parse(stdout)
    expect(findings).toEqual([])
    expect(services[0].reason).toMatch(/^LT0208 /)
  })

  it("find nothing wrong with the samples, one by one and as a fleet", async () => {
    for (const folder of ["deploy/samples", "deploy/samples/east", "deploy/samples/west"]) {
      const { exitCode, stdout } = await offline(`lint -f ${folder} --json`, root)
      expect(JSON.parse(stdout)).toEqual({ valid: true, findings: [] })
      expect(exitCode).toBe(0)
    }
  })

  it("give no address of the samples' network twice", async () => {
    const { services, nodes } = JSON.parse((await offline("preview -f deploy/samples --json", root)).stdout)
    const holders = new Map<string, Set<string>>()
    for (const { cluster, addresses } of services) {
      for (const address of addresses) holders.set(address, (holders.get(address) ?? new Set()).add(cluster))
    }
    expect(holders.size).toBe(42) // as the demo counts them
    expect([...holders.values()].filter(({ size }) => size !== 1)).toEqual([])
    expect(nodes.map(({ name }: { readonly name: string }) => name)).toEqual(
      ["east-1", "east-2", "east-3", "west-1", "west-2", "west-3"] // each in its own cluster
    )
  })

  const exits = [
    [0, "lint -f good", ""],
    [1, "lint -f bad", ""],
    [0, "lint -f good --failure-threshold warning", ""],
    [2, "lint -f nowhere", "expected a folder of manifests or a file, found nothing at "],
    [2, "lint -f /dev/null", "expected a folder of manifests or a file, found neither at /dev/null"],
    [2, "lint -f ../golden", "expected files named *.yaml, *.yml or *.json, found none in "],
    [2, "lint", "Missing required flag"],
    [2, "lint -f good --backend bird", "native"],
    [
      2,
      "preview -f good -o sarif",
      "error: output: expected table, wide or json, found sarif; it is a format of `lowtide lint`"
    ]
  ] as const
  for (const [code, commandLine, stderr] of exits) {
    it(`end with ${code} of lowtide ${commandLine}`, async () => {
      const ran = await offline(commandLine)
      expect(ran.stderr).toContain(stderr)
      expect(ran.exitCode).toBe(code)
    })
  }
})
