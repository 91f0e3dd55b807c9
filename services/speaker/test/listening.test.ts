import { once } from "node:events"
import { connect } from "node:net"
import { describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { assert } from "vitest"
import { Listening, parseListenPlaces } from "../src/listening.ts"

describe("LOWTIDE_BGP_LISTEN", () => {
  it("is a list of addresses with ports, of both families", () => {
    assert.deepStrictEqual(
      parseListenPlaces("0.0.0.0:179, [::]:179,[fe80::1%eth0]:1790"),
      Result.succeed([
        { host: "0.0.0.0", port: 179 },
        { host: "::", port: 179 },
        { host: "fe80::1%eth0", port: 1790 }
      ])
    )
  })

  it.each(["", "179", "localhost:179", "unix:/run/bgp", "192.0.2.1:70000", "192.0.2.1%eth0:179", "0.0.0.0:179,"])(
    "does not take %j",
    (text) => {
      const parsed = parseListenPlaces(text)
      assert.match(
        Result.isFailure(parsed) ? parsed.failure : "",
        /^expected an address and a port, such as .*, found "/
      )
    }
  )
})

describe("a node that listens", () => {
  it.live("says refusals of a kind once a minute, with how many there were", () =>
    Effect.gen(function* () {
      let nowMs = 0
      const said: Array<string> = []
      const listening = new Listening([{ host: "127.0.0.1", port: 0 }], {
        say: (severity, text) => said.push(`${severity} ${text}`),
        monotonicMs: () => nowMs
      })
      yield* listening.refresh([])
      const port = Number(/port (\d+)$/.exec(said[0] ?? "")?.[1])
      const knock = Effect.promise(async () => {
        const socket = connect({ host: "127.0.0.1", port }).on("error", () => {})
        await once(socket.resume(), "close").catch(() => {})
      })
      yield* Effect.all([knock, knock, knock])
      nowMs = 60_000
      yield* knock
      yield* listening.refresh([])
      assert.deepStrictEqual(said.slice(1), [
        "warning a connection from 127.0.0.1 was refused: no peer has this address",
        "warning a connection from 127.0.0.1 was refused: no peer has this address; 2 more like it since the last line of its kind"
      ])
    }).pipe(Effect.scoped)
  )
})
