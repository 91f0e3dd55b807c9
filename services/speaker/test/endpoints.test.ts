import type { EndpointSliceObject } from "@lowtide/domain/config/endpoint-slice"
import { assert, describe, it } from "vitest"
import { EndpointView } from "../src/endpoints.ts"

const slice = (
  service: string,
  nodes: ReadonlyArray<string | undefined>,
  name = `${service}-1`
): EndpointSliceObject => ({
  namespace: "shop",
  name,
  service,
  endpoints: nodes.map((nodeName) => ({ addresses: ["10.0.0.1"], ...(nodeName !== undefined && { nodeName }) }))
})
const all = (...put: ReadonlyArray<EndpointSliceObject>) => ({ put, deleted: [], isComplete: true })
const part = (...put: ReadonlyArray<EndpointSliceObject>) => ({ ...all(...put), isComplete: false })
const gone = (...deleted: ReadonlyArray<EndpointSliceObject>) => ({ put: [], deleted, isComplete: true })
const here = { servesHere: true, servesAnywhere: true }
const elsewhere = { servesHere: false, servesAnywhere: true }
const nowhere = { servesHere: false, servesAnywhere: false }

describe("EndpointView", () => {
  it("tells here from elsewhere from nowhere, over all slices of a Service", () => {
    const view = new EndpointView("east-1")
    view.apply(all(slice("a", ["east-1"]), slice("b", ["east-2"]), slice("c", [undefined]), slice("d", [])))
    assert.deepStrictEqual(
      ["a", "b", "c", "d", "e"].map((name) => view.health(`shop/${name}`)),
      [here, elsewhere, elsewhere, nowhere, nowhere]
    )
    view.apply(all(slice("b", ["east-1"], "b-2")))
    assert.deepStrictEqual(view.health("shop/b"), here)
    view.apply(gone(slice("b", [], "b-2")))
    assert.deepStrictEqual(view.health("shop/b"), elsewhere)
  })

  it("answers only what changed", () => {
    const view = new EndpointView("east-1")
    const first = view.apply(all(slice("a", ["east-1"]), slice("d", [])))
    assert.deepStrictEqual([...first], [["shop/a", here]])
    assert.strictEqual(view.apply(all(slice("a", ["east-1", "east-2"]))).size, 0)
    assert.deepStrictEqual([...view.apply(all(slice("a", ["east-2"])))], [["shop/a", elsewhere]])
  })

  it("counts an endpoint that terminates and serves, and not one that is not ready", () => {
    const view = new EndpointView("east-1")
    const condition = (conditions: object) => ({
      ...slice("a", []),
      endpoints: [{ addresses: [], nodeName: "east-1", ...conditions }]
    })
    view.apply(all(condition({ ready: false })))
    assert.deepStrictEqual(view.health("shop/a"), nowhere)
    view.apply(all(condition({ ready: false, serving: true, terminating: true })))
    assert.deepStrictEqual(view.health("shop/a"), here)
  })

  it("keeps what it remembers until everything was read", () => {
    const view = new EndpointView("east-1", [
      ["shop/a", here],
      ["shop/b", here],
      ["shop/c", here]
    ])
    assert.strictEqual(view.apply({ put: [], deleted: [], isComplete: false }).size, 0)
    assert.strictEqual(view.apply(part(slice("a", []))).size, 0, "what serves may be in a slice that cannot be read")
    assert.deepStrictEqual(view.health("shop/b"), here)
    assert.deepStrictEqual(Object.fromEntries(view.apply(all(slice("b", ["east-1"])))), {
      "shop/a": nowhere,
      "shop/c": nowhere
    })
    assert.deepStrictEqual([...view.known], [["shop/b", here]])
  })

  it("keeps a Service of whose two slices one cannot be read after a restart", () => {
    const view = new EndpointView("east-1", [["shop/a", here]])
    assert.strictEqual(view.apply(part(slice("a", ["east-2"], "a-1"))).size, 0)
    assert.deepStrictEqual(
      [...view.apply(all(slice("a", ["east-2"], "a-2")))],
      [["shop/a", elsewhere]],
      "all is read now, and none is here"
    )
  })

  it("loses at once what a slice that can be read said and says no more, whatever others cannot be read", () => {
    const losses: ReadonlyArray<Parameters<EndpointView["apply"]>[0]> = [
      part(slice("a", [], "a-1")),
      { ...gone(slice("a", [], "a-1")), isComplete: false },
      part(slice("b", ["east-1"], "a-1"))
    ]
    for (const loss of losses) {
      const view = new EndpointView("east-1", [["shop/a", here]])
      view.apply(part(slice("a", ["east-1"], "a-1")))
      assert.deepStrictEqual(view.apply(loss).get("shop/a"), nowhere)
    }
    const view = new EndpointView("east-1", [["shop/a", here]])
    view.apply(part(slice("a", ["east-1", "east-2"], "a-1")))
    assert.deepStrictEqual(view.apply(part(slice("a", ["east-2"], "a-1"))).get("shop/a"), elsewhere)
  })

  it("follows a slice that moves to another Service", () => {
    const view = new EndpointView("east-1")
    view.apply(all(slice("a", ["east-1"], "moving")))
    const changed = view.apply(all(slice("b", ["east-1"], "moving")))
    assert.deepStrictEqual(Object.fromEntries(changed), { "shop/a": nowhere, "shop/b": here })
  })
})
