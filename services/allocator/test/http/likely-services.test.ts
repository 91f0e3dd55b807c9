import { Fleet } from "@lowtide/domain"
import { expect, it } from "vitest"
import { likelyServices, unknownService } from "../../src/http/views/clusters.ts"

const fleet = new Fleet()
for (const cluster of ["east", "west"]) {
  for (let count = 0; count < 2_000; count++) fleet.cluster(cluster).services.set(`shop/web-${count}`, {} as never)
}
fleet.cluster("east").services.set("media/live", {} as never)
fleet.cluster("west").services.set("media/checkout", {} as never)
const likely = (namespace: string, name: string) => likelyServices({ fleet } as never, { namespace, name })

it("compares a misspelt name with those of its namespace and with those called so elsewhere, of a large fleet not with all", () => {
  expect(likely("shop", "web-x").length).toBe(200)
  expect(likely("media", "liev")).toEqual(["media/live"])
  expect(likely("medai", "checkout")).toEqual(["media/checkout"])
  expect(likely("shop", "a-name-that-is-longer-than-any-of-them")).toEqual([])
  const asked = { cluster: "west", namespace: "media", name: "chekcout" }
  expect(unknownService(asked, likelyServices({ fleet } as never, asked))).toBe(
    "service: expected one that the log knows, found west/media/chekcout (did you mean media/checkout?)"
  )
  expect(likelyServices({ fleet } as never, { ...asked, cluster: "east" })).toEqual([])
})
