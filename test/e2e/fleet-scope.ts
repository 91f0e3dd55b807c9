import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { LowtideClient, layerClient } from "@lowtide/api"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { type Fleet, sampleClusters, sampleFolder, startFleet } from "../../scripts/demo/fleet.ts"
import { checkRouters } from "../../scripts/demo/verify.ts"

/** The sample fleet, up and verified, in the scope of a test. */
export const runningFleet = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-e2e-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const fleet = yield* startFleet({
    folder,
    runFolder: folder,
    ground: "namespaces",
    hasBird: true,
    samples: sampleFolder,
    clusters: sampleClusters,
    apiPort: 0,
    say: () => {}
  })
  yield* waitUntil("the routers have every route", isSettled(fleet), { deadlineMs: 60_000 })
  return fleet
})

/** What the API says of every Service. */
export const services = (fleet: Fleet) =>
  Effect.gen(function* () {
    return (yield* (yield* LowtideClient).fleet.services({ query: {} })).items
  }).pipe(Effect.provide(layerClient({ _tag: "Url", url: fleet.apiUrl })))

/** Whether every router has just the routes that it should. */
export const isSettled = (fleet: Fleet): Effect.Effect<boolean> =>
  services(fleet).pipe(
    Effect.flatMap((items) =>
      Effect.map(
        checkRouters(fleet.site, items),
        (checks) => items.length >= 39 && checks.every(({ differences }) => differences.length === 0)
      )
    ),
    Effect.orElseSucceed(() => false)
  )

/** The routers' tables, a text for each. */
export const tables = (fleet: Fleet) =>
  Effect.forEach(fleet.site.clusters, ({ router }) =>
    Effect.map(router.nextHops, (hops) => JSON.stringify([...hops].sort()))
  )

/** A process of the fleet, by its name. */
export const component = (fleet: Fleet, name: string) => {
  const found = fleet.components.get(name)
  if (found === undefined)
    throw new Error(`expected a component ${name}, found ${[...fleet.components.keys()].join(", ")}`)
  return found
}
