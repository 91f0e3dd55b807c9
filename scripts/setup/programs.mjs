import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { withoutServiceStarts } from "./service-starts.mjs"

/** A library or a program, and the Debian package that has it. */
const programs = {
  "libatomic.so.1": "libatomic1",
  "nats-server": "nats-server",
  openssl: "openssl",
  ip: "iproute2",
  setpriv: "util-linux",
  bird: "bird2",
  birdc: "bird2",
  zebra: "frr",
  gobgpd: "gobgpd",
  gobgp: "gobgpd",
  bgpctl: "openbgpd",
  exabgp: "exabgp",
  promtool: "prometheus",
  pg_basebackup: "postgresql"
}

/** What the Node that npm brings does not start without; slim images lack it. */
const ofNode = process.platform === "linux" ? ["libatomic.so.1"] : []

const all = Object.keys(programs).filter((name) => !name.startsWith("lib") || ofNode.includes(name))

const lab = ["ip", "setpriv", "bird", "zebra"]

/** What each part needs, and what it needs only as root: without namespaces it leaves the routers out. */
export const needs = {
  check: { always: ofNode, asRoot: [] },
  demo: { always: [...ofNode, "nats-server", "openssl", "setpriv"], asRoot: lab },
  test: { always: all, asRoot: [] },
  bench: {
    always: all.filter((program) => !["promtool", "bgpctl", "pg_basebackup"].includes(program)),
    asRoot: []
  }
}

/**
 * Of PostgreSQL only what makes a standby, for the tests: `npm ci` brings a server, without it. FRR's daemons are not on anyone's
 * PATH.
 */
const folders = [
  ...[...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/frr"],
  ...["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
]

const isInstalled = (program) => folders.some((folder) => folder !== "" && existsSync(join(folder, program)))

/**
 * What to do about missing programs. `install` when it can be done here. Else `tell` the line to run: and stop, except
 * that `npm test` without root goes on, runs what it can, and fails naming what it lacks.
 */
export const decide = ({ what, missing, isRoot, hasApt }) => {
  const packages = [...new Set(missing.map((program) => programs[program]))].sort()
  if (packages.length === 0) return { action: "nothing" }
  const line = `${isRoot ? "" : "sudo "}apt-get install --no-install-recommends ${packages.join(" ")}`
  if (isRoot && hasApt) return { action: "install", packages, line }
  return { action: "tell", line, goOn: what === "test" && !isRoot }
}

/** Which programs a part lacks. */
export const missingFor = (what, { isRoot, has = isInstalled }) =>
  [...needs[what].always, ...(isRoot ? needs[what].asRoot : [])].filter((program) => !has(program))

/** Sees to it that the programs of a part are there. Answers whether the part can go on. */
export const ensurePrograms = (what) => {
  const isRoot = process.getuid?.() === 0
  const decision = decide({ what, missing: missingFor(what, { isRoot }), isRoot, hasApt: isInstalled("apt-get") })
  switch (decision.action) {
    case "nothing":
      return true
    case "tell":
      process.stderr.write(`setup: some programs are missing; run:\n  ${decision.line}\n`)
      return decision.goOn
    case "install":
      if (install(decision.packages) && missingFor(what, { isRoot }).length === 0) return true
      process.stderr.write(`setup: apt did not install what is missing; run:\n  ${decision.line}\n`)
      return false
  }
}

/** Reads the lists of packages anew only when the install fails with those that are there. */
const install = (packages) => {
  process.stderr.write(`setup: apt-get install ${packages.join(" ")}\n`)
  const apt = (...args) =>
    spawnSync("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=300", ...args], {
      stdio: ["ignore", 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" }
    }).status === 0
  return withoutServiceStarts(() => {
    const once = () => apt("install", "-y", "--no-install-recommends", ...packages)
    return once() || (apt("update") && once())
  })
}
