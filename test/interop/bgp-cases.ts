import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import { type BgpCase, type BgpRouterName, bgpCaseTitles, bgpRouters, exceptions } from "./bgp-coverage.ts"
import {
  type BgpLab,
  eventually,
  type LinkTransport,
  linkAddresses,
  makeBgpLab,
  type Router,
  type RouterSetup,
  type Speaker
} from "./bgp-lab.ts"
import { routeCases } from "./bgp-route-cases.ts"
import { collisionRounds, sessionCases } from "./bgp-session-cases.ts"

/** What a case has to its hand: one router and any number of speakers, of which none is left over for the next case. */
export interface Bench {
  readonly name: BgpRouterName
  readonly lab: BgpLab
  readonly startRouter: (setup: RouterSetup) => Promise<Router>
  readonly speak: (args: ReadonlyArray<string>) => Speaker
}

/** A case; every assertion is on the router's own table or on what the operator is told. */
export type CaseRun = (bench: Bench) => Promise<void>

export const routerAsn = 64501
export const nodeAsn = 65551 // beyond two octets: RFC 6793 is in every case

/** A router that waits for our speaker in the usual AS, unless told otherwise. */
export const setupFor = (more: Partial<RouterSetup> = {}): RouterSetup => ({
  localAsn: routerAsn,
  neighborAsn: nodeAsn,
  neighbor: linkAddresses.node[4],
  ...more
})

/** How a speaker fits `setupFor`: the other family's next hop is ours on the link unless it is to have none. */
interface SpeakerSetup {
  readonly transport?: LinkTransport
  readonly localAsn?: number
  readonly hasOtherNextHop?: boolean
}

/** The arguments of a speaker; the next hop of the transport's own family is its address on the session. */
export const speakArgs = (
  { transport = 4, localAsn = nodeAsn, hasOtherNextHop = true }: SpeakerSetup = {},
  ...more: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const nextHop = linkAddresses.node[transport === 4 ? 6 : 4]
  const peer = `${linkAddresses.router[transport]}${transport === "link-local" ? "%up0" : ""}`
  return ["--peer", peer, "--peer-as", String(routerAsn), "--local-as", String(localAsn)]
    .concat(["--router-id", "192.0.2.2", "--hold", "9", "--retry", "1", "--name", "tor-a"])
    .concat(hasOtherNextHop ? ["--next-hop", nextHop] : [], more)
}

/** Waits until the router has a route, and answers it. */
export const hasRoute = async (router: Router, family: 4 | 6, prefix: string) => {
  const routes = await eventually(
    () => router.routes(family),
    (found) => found.has(prefix),
    `${prefix} in the router's table`
  )
  return routes.get(prefix)!
}

/** Waits until the router has so many routes. */
export const hasCount = (router: Router, family: 4 | 6, count: number) =>
  eventually(
    () => router.count(family),
    (found) => found === count,
    `${count} IPv${family} routes in the router's table`
  )

/** Waits until the router was told 198.51.100.1/32 and 2001:db8:1::1/128 on the session with each of these neighbours, and on no other. */
export const hasPaths = async (router: Router, neighbors: ReadonlyArray<string>) => {
  for (const [family, prefix] of [
    [4, "198.51.100.1/32"],
    [6, "2001:db8:1::1/128"]
  ] as const) {
    const expected = neighbors.map((neighbor) => `${prefix} ${neighbor} ${linkAddresses.node[family]}`)
    await eventually(
      async () => (await router.paths(family)).map((path) => `${path.prefix} ${path.neighbor} ${path.nextHop}`).sort(),
      (found) => found.join() === expected.join(),
      `${expected.join(", ")} in the router's table`
    )
  }
}

const cases: { readonly [Case in BgpCase]: CaseRun } = { ...sessionCases, ...routeCases }

/** The same cases against each router, in one lab. */
export const bgpInteropCases = (name: BgpRouterName): void => {
  describe(`a session with ${name}`, () => {
    let lab: BgpLab
    let router: Router | undefined
    let speakers: Array<Speaker> = []
    const fresh = async () => {
      await Promise.all(speakers.map((speaker) => speaker.kill()))
      speakers = []
      await router?.kill()
    }
    beforeAll(async () => {
      lab = await makeBgpLab()
    })
    afterAll(() => lab?.close())

    for (const [id, title] of Object.entries(bgpCaseTitles) as ReadonlyArray<readonly [BgpCase, string]>) {
      if (exceptions[id]?.[name] !== undefined) continue
      const timeout = 180_000 + (id === "collision" ? collisionRounds * 60_000 : 0)
      it(title, { timeout }, async () => {
        await fresh()
        await cases[id]({
          name,
          lab,
          startRouter: async (setup) => {
            router = await bgpRouters[name](lab.router, setup)
            return router
          },
          speak: (args) => {
            const speaker = lab.speak(args)
            speakers.push(speaker)
            return speaker
          }
        })
      })
    }
  })
}
