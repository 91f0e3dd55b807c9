import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { openJournal } from "../src/journal.ts"
import { encodeBatch } from "../src/journal-record.ts"
import { tombstone, vip } from "./hand-centre.ts"
import { beginNode, get, prefixesAt, publish, waitForPrefixes } from "./live-node.ts"

const isLost = "something that was in effect is lost, .*"

/** What happens to a file of the state folder, and what the speaker says of it. */
const losses = [
  {
    what: "a journal with a bit that is another",
    file: "journal-0",
    lose: (path: string, own: string) => {
      const octets = readFileSync(path)
      octets[100] = (octets[100] ?? 0) ^ 1
      writeFileSync(path, octets)
      appendFileSync(path, own) // the sessions are known from a batch behind the damage
    },
    said: `${isLost}journal-0: expected whole batches, found 1 of them damaged`,
    hasSessions: true
  },
  {
    what: "a journal cut in its middle",
    file: "journal-0",
    lose: (path: string) => truncateSync(path, Math.floor(statSync(path).size * 0.7)),
    said: `${isLost}journal-0: expected the \\d+ bytes that were acknowledged, found \\d+\\)`,
    hasSessions: true
  },
  {
    what: "a journal that cannot be read",
    file: "journal-0",
    lose: (path: string) => {
      rmSync(path)
      mkdirSync(path)
    },
    said: `${isLost}journal-0: expected a file that can be read, found EISDIR`,
    hasSessions: false
  },
  {
    what: "a snapshot that is damaged, after a journal that was cut between two batches",
    file: "journal-0",
    lose: async (path: string) => {
      const folder = dirname(path)
      const { loaded, journal } = openJournal(folder)
      journal.compact(loaded.records)
      await journal.append(loaded.records.slice(0, 1))
      await journal.close()
      const snapshot = join(folder, "snapshot-1")
      writeFileSync(snapshot, readFileSync(snapshot).subarray(0, -20))
      const batches = readFileSync(path, "utf8").split("\n")
      writeFileSync(path, `${batches.slice(0, -2).join("\n")}\n`)
    },
    said: `${isLost}journal-0: expected the \\d+ bytes that were acknowledged, found \\d+; .*snapshot-1: expected a whole snapshot`,
    hasSessions: true
  },
  {
    what: "all of it, and nothing that says how old that is",
    file: "life.json",
    lose: (path: string) => writeFileSync(path, "{"),
    said: "nothing says how old what this node knows is \\(.*life.json: expected .*, found damage\\)",
    hasSessions: true
  }
]

describe("a speaker whose disk lost something", () => {
  for (const { what, file, lose, said, hasSessions } of losses) {
    it.live(`announces nothing from ${what}, says so, and goes on when NATS brings everything again`, () =>
      Effect.gen(function* () {
        const { nats, node, centre, collector, own, say, onBus } = yield* beginNode
        const message = centre.say(own)
        yield* Effect.gen(function* () {
          yield* publish([message, centre.say(vip("198.51.100.50"))])
          const speaker = yield* node.start(nats.url)
          yield* waitForPrefixes(collector, ["198.51.100.50/32"])
          yield* say(vip("198.51.100.51"))
          yield* waitForPrefixes(collector, ["198.51.100.50/32", "198.51.100.51/32"])
          yield* say(tombstone("198.51.100.50"), vip("198.51.100.52"))
          yield* waitForPrefixes(collector, ["198.51.100.51/32", "198.51.100.52/32"])
          yield* speaker.kill
        }).pipe(onBus)
        yield* nats.stop
        yield* Effect.promise(async () =>
          lose(join(node.folder, "state", file), encodeBatch([{ _tag: "Message", ...message }]))
        )
        const second = yield* node.start(nats.url)
        yield* waitUntil(
          hasSessions ? "a session with an empty table" : "its answer",
          hasSessions
            ? Effect.sync(() => collector.peers().some(({ endOfRib }) => endOfRib.size === 2))
            : Effect.map(get(node.httpSocket, "/readyz"), ({ status }) => status !== 0)
        )
        assert.deepStrictEqual(prefixesAt(collector), [])
        assert.strictEqual((yield* get(node.httpSocket, "/readyz")).status, 503)
        const log = yield* second.log
        assert.match(log, new RegExp(`LT0409 saved state: ${said}`))
        yield* nats.restart
        yield* waitForPrefixes(collector, ["198.51.100.51/32", "198.51.100.52/32"])
        assert.strictEqual((yield* get(node.httpSocket, "/readyz")).status, 200)
        yield* second.kill
        yield* nats.stop
        yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.51/32", "198.51.100.52/32"])
      }).pipe(Effect.scoped)
    )
  }
})
