import type { StartRouter } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { startGobgp } from "./bgp-routers/gobgp.ts"
import { startOpenbgpd } from "./bgp-routers/openbgpd.ts"

/** The routers that the same cases run against, and how each is started. */
export const bgpRouters = {
  BIRD: startBird,
  FRR: startFrr,
  GoBGP: startGobgp,
  OpenBGPD: startOpenbgpd
} as const satisfies Readonly<Record<string, StartRouter>>

export type BgpRouterName = keyof typeof bgpRouters

/** Every case, in the order of the page; each router runs it unless `exceptions` says why not. */
export const bgpCaseTitles = {
  "ebgp 4": "eBGP over IPv4: both families arrive with their attributes, and leave when withdrawn",
  "ebgp 6": "eBGP over IPv6: both families arrive with their attributes, and leave when withdrawn",
  "ibgp 4": "iBGP over IPv4: an empty AS path and LOCAL_PREF, 100 unless set",
  "ibgp 6": "iBGP over IPv6: an empty AS path and LOCAL_PREF, 100 unless set",
  "two sessions":
    "a session over IPv4 and one over IPv6 at once, each with both families: one ends, and the routes of the other stay",
  "extended next hop": "IPv4 routes with an IPv6 next hop (RFC 8950)",
  "link-local": "a session between link-local addresses: both families have them as next hops (RFC 8950, RFC 2545)",
  "extended messages": "10,000 routes in one message of more than 4,096 octets (RFC 8654)",
  scale: "10,000 routes, half of them withdrawn, and all again after the router was killed and started",
  refresh: "the router asks for everything again (RFC 2918): all of it is sent, and nothing leaves meanwhile",
  "unexpected AS": "an AS number the router does not expect: the router's refusal is explained",
  "other AS": "a router with another AS number than configured: we refuse, and say what was found",
  "password and GTSM 4": "over IPv4: the same password and GTSM on both sides; another password is not answered",
  "password and GTSM 6": "over IPv6: the same password and GTSM on both sides; another password is not answered",
  "hold 3": "hold time 3: the session lasts, and a speaker that stands still is missed by the router",
  "hold 0": "hold time 0: no keepalives, and the routes are there",
  collision: "both sides dial, and meet: one session is left, the same one for both",
  roles: "roles that fit come up, roles that do not are explained on our side (RFC 9234)",
  "only to customer":
    "ONLY_TO_CUSTOMER is with what a provider or a peer tells, and not with what a customer does (RFC 9234)",
  "graceful restart": "graceful restart: the speaker is killed and started three times, and its routes never leave",
  "kept after a NOTIFICATION": "routes stay at the router after a Cease that is no Hard Reset (RFC 8538)",
  "hard reset": "a Hard Reset drops the routes at once, though they would be kept (RFC 8538)",
  "maximum prefixes": "more routes than the router takes: its limit is named, and we wait before we come again",
  "router shuts down": "the router closes the session, with a text where it sends one, and opens it again",
  "we shut down": "stopping with a text withdraws everything at once"
} as const

export type BgpCase = keyof typeof bgpCaseTitles

/** Where a router cannot be asked for a case, and why. */
export const exceptions: { readonly [Case in BgpCase]?: { readonly [Name in BgpRouterName]?: string } } = {
  refresh: { GoBGP: "it keeps what it was told, and asked for nothing" },
  roles: { GoBGP: "it has no roles" },
  "link-local": {
    FRR: "[with its zebra](../../test/interop/unnumbered-frr.test.ts), which knows interfaces",
    OpenBGPD: "its version 7.7 has no such next hop for IPv4"
  },
  "extended messages": {
    GoBGP: "its version 3.10 offers none",
    OpenBGPD: "its version 7.7 has none"
  },
  "kept after a NOTIFICATION": {
    BIRD: "it keeps them when the connection is lost, and at no NOTIFICATION",
    OpenBGPD: "it keeps them when the connection is lost, and at no NOTIFICATION"
  },
  "extended next hop": {
    GoBGP: "it offers this to unnumbered neighbours alone: below",
    OpenBGPD: "its version 7.7 has none"
  }
}

/** The page docs/reference/interop.md, whole. */
export const formatInteropPage = (): string => {
  const names = Object.keys(bgpRouters) as ReadonlyArray<BgpRouterName>
  const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  const rows = (Object.entries(bgpCaseTitles) as ReadonlyArray<readonly [BgpCase, string]>).map(([id, title]) =>
    row([title, ...names.map((name) => exceptions[id]?.[name] ?? "yes")])
  )
  return [
    "# Interoperability: what is shown against each router",
    "",
    "Generated from `test/interop/bgp-coverage.ts` by `scripts/interop-md.ts`; edit there.",
    "",
    "`npm run interop` runs all of it, `npm run interop -- frr` one router's part; `npm test` has it too. Routers are Debian's:",
    "BIRD 2.0.12, FRR 8.4.4, GoBGP 3.10.0, OpenBGPD 7.7, ExaBGP 4.2.21. Each runs in a network namespace, and what is asserted is",
    "read from its own tables. Where a router cannot be asked for a case, its cell says why.",
    "",
    row(["case", ...names]),
    row(["---", ...names.map(() => "---")]),
    ...rows,
    "",
    "Both sides are made to meet twice in a run; `npm run interop -- --collisions 50 bird` is the long form.",
    "",
    "Two peers of one speaker that are one router, over IPv4 and over IPv6: `test/interop/two-sessions.test.ts`, with BIRD and FRR.",
    "",
    "ECMP with BIRD (internal and external sessions) and FRR (external): eight nodes announce one VIP in both families, and the",
    "kernel's next hops are the admitted ones; standbys that go and come move no connection, and have the VIP alone once no",
    "admitted node is left (`test/interop/ecmp.test.ts`). Which node announces as what is the product's own rule.",
    "",
    "BFD with BIRD and FRR: `test/interop/bfd-cases.ts`, and what BGP makes of it, with graceful restart as well:",
    "`test/interop/guard-cases.ts`. ExaBGP is the hostile peer: malformed attributes, routes",
    "nobody should announce, requests for families that we do not speak, and Ceases (`bgp-exabgp.test.ts`). What it cannot be",
    "made to send is sent to the decoders and to a session by `packages/bgp/test`.",
    ""
  ].join("\n")
}
