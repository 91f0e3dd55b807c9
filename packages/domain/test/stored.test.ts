import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { makeStored } from "../src/fleet/stored.ts"
import { eventTypes, isKnown, readEvent, readState, stateShapes, writeEvent } from "../src/index.ts"

/** A kind of state whose shape changed twice, as such tables come to look. */
interface Lamp {
  readonly _tag: "Lamp"
  readonly room: string
  /** Version 1 had `on`; version 2 per cent; version 3 names the colour as well. */
  readonly percent: number
  readonly colour: string
}

const Room = { room: Schema.String }
const lamps = makeStored<Lamp>(
  { LampSwitched: { state: "Lamp" }, LampPainted: { state: "Lamp", since: 3 } },
  {
    Lamp: [
      { schema: Schema.TaggedStruct("Lamp", { ...Room, on: Schema.Boolean }) },
      {
        schema: Schema.TaggedStruct("Lamp", { ...Room, percent: Schema.Int }),
        since: 2,
        up: ({ on, ...rest }: { readonly on: boolean }) => ({ ...rest, percent: on ? 100 : 0 }),
        down: ({ percent, ...rest }: { readonly percent: number }) => ({ ...rest, on: percent > 0 })
      },
      {
        schema: Schema.TaggedStruct("Lamp", { ...Room, percent: Schema.Int, colour: Schema.String }),
        since: 4,
        up: (older: object) => ({ ...older, colour: "white" }),
        down: ({ colour: _, ...rest }: { readonly colour: string }) => rest
      }
    ]
  }
)

const lamp = (percent: number): Lamp => ({ _tag: "Lamp", room: "hall", percent, colour: "white" })

const stored = (schema: number, data: unknown, type = "LampSwitched") => ({
  seq: 7,
  stream: "lamp:hall",
  type,
  schema,
  data: JSON.stringify(data)
})

describe("an event that an older release wrote", () => {
  const row = (schema: number, older: object) => [schema, older] as const
  it.each([
    row(1, { _tag: "Lamp", room: "hall", on: true }),
    row(2, { _tag: "Lamp", room: "hall", percent: 100 }),
    row(3, { _tag: "Lamp", room: "hall", percent: 100, colour: "white" })
  ])("of version %i is read in the newest version, before and after", (schema, older) => {
    const read = Result.getOrThrow(lamps.readEvent(stored(schema, { before: older, after: older })))
    assert.deepStrictEqual(read, { before: lamp(100), after: lamp(100) })
    const row = { seq: 7, stream: "lamp:hall", schema, state: JSON.stringify(older) }
    assert.deepStrictEqual(Result.getOrThrow(lamps.readState(row)), lamp(100))
  })

  it("keeps the stored text as it is, and fields that came without a new version", () => {
    const event = stored(2, { before: null, after: { _tag: "Lamp", room: "hall", percent: 5, watts: 3 } })
    const { data } = event
    const { after } = Result.getOrThrow(lamps.readEvent(event))
    assert.deepStrictEqual([after as unknown, event.data], [{ ...lamp(5), watts: 3 }, data])
  })

  it("begins or ends its stream with nothing", () => {
    const read = Result.getOrThrow(lamps.readEvent(stored(1, { before: null, after: null })))
    assert.deepStrictEqual(read, { before: null, after: null })
    assert.isNull(Result.getOrThrow(lamps.readState({ seq: 1, stream: "lamp:hall", schema: 1, state: null })))
  })
})

describe("what this release cannot read", () => {
  const event = (schema: number, data: unknown, type?: string) => lamps.readEvent(stored(schema, data, type))
  const row = (name: string, read: ReturnType<typeof event>, code: string, words: RegExp) =>
    [name, read, code, words] as const
  const whole = { _tag: "Lamp", room: "hall", on: true }
  it.each([
    row(
      "an unknown type",
      event(1, { before: null, after: whole }, "LampSold"),
      "LT0540",
      /event 7 of lamp:hall: .*LampSold of version 1/
    ),
    row(
      "a newer version",
      event(4, { before: null, after: whole }),
      "LT0540",
      /event 7 of lamp:hall: .*LampSwitched of version 4/
    ),
    row("a version that never was", event(0, { before: null, after: whole }), "LT0541", /found 0/),
    row("a field that is missing", event(1, { before: null, after: { _tag: "Lamp", room: "hall" } }), "LT0541", /"on"/),
    row("another kind of state", event(1, { before: null, after: { ...whole, _tag: "Door" } }), "LT0541", /"_tag"/),
    row("no state at all", event(1, { before: null }), "LT0541", /version 1/),
    row("no object", event(1, [1]), "LT0541", /JSON object/)
  ])("%s is said with its code, the event, the type and the version", (_, read, code, words) => {
    if (Result.isSuccess(read)) return assert.fail(`was read: ${JSON.stringify(read.success)}`)
    assert.deepStrictEqual([read.failure.code, read.failure.seq], [code, 7])
    assert.match(read.failure.message, words)
  })

  it("is no event of a name that every object has", () => {
    assert.isFalse(isKnown("toString", 1))
    assert.isTrue(Result.isFailure(event(1, {}, "constructor")))
  })

  it("is a state of a newer version, or of an unknown kind", () => {
    const code = (schema: number, state: unknown) =>
      Result.match(lamps.readState({ seq: 7, stream: "lamp:hall", schema, state: JSON.stringify(state) }), {
        onSuccess: () => "",
        onFailure: (fault) => fault.code
      })
    assert.deepStrictEqual([code(4, whole), code(1, { _tag: "Door" }), code(1, {})], ["LT0540", "LT0540", "LT0540"])
    assert.strictEqual(code(1, { ...whole, on: 1 }), "LT0541")
  })
})

describe("what is written", () => {
  const row = (fleet: number, schema: number, after: object) => [fleet, schema, after] as const
  it.each([
    row(1, 1, { _tag: "Lamp", room: "hall", on: true }),
    row(2, 2, { _tag: "Lamp", room: "hall", percent: 40 }),
    row(3, 2, { _tag: "Lamp", room: "hall", percent: 40 }),
    row(4, 3, { _tag: "Lamp", room: "hall", percent: 40, colour: "white" }),
    row(9, 3, { _tag: "Lamp", room: "hall", percent: 40, colour: "white" })
  ])(
    "at fleet version %i is of the version that it allows, so that the former release reads it",
    (fleet, schema, after) => {
      assert.deepStrictEqual(lamps.writeEvent({ before: null, after: lamp(40) }, fleet), {
        schema,
        data: JSON.stringify({ before: null, after })
      })
      assert.deepStrictEqual(lamps.writeState(lamp(40), fleet), { schema, state: JSON.stringify(after) })
    }
  )
})

describe("the tables of this release", () => {
  it("have a shape for the state of every type", () => {
    for (const [type, { state }] of Object.entries(eventTypes)) assert.property(stateShapes, state, type)
  })

  it("write and read an event of each state that ends its stream", () => {
    for (const type of Object.keys(eventTypes)) {
      const written = writeEvent({ before: null, after: null }, 1)
      assert.isTrue(Result.isSuccess(readEvent({ seq: 1, stream: "x:y", type, ...written })), type)
    }
    assert.isTrue(Result.isFailure(readState({ seq: 1, stream: "x:y", schema: 1, state: "{}" })))
  })
})
