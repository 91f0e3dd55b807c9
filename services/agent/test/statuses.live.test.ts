import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  Bus,
  ensureStreams,
  generateKey,
  layerBus,
  publishAll,
  readKeyRing,
  readSigningKey,
  readStored,
  rollCallSubject,
  seal,
  stateSubject,
  wireFilter,
  wireStream
} from "@lowtide/bus"
import { messageKey, type ObjectFindings, type ServiceAnswer } from "@lowtide/domain"
import type { NatsServer } from "@lowtide/testkit"
import { Context, Effect, Layer, type Scope } from "effect"
import { writeStatuses } from "../src/statuses.ts"
import { onNats, until } from "./live.ts"

const pair = generateKey()
const key = readSigningKey("k1", pair.privatePem)
const keys = readKeyRing({ k1: pair.publicPem })
const stranger = readSigningKey("k1", generateKey().privatePem)

const at = (seq: number) => ({ incarnation: 1, epoch: 1, seq })

const answer = (seq: number, address: string | undefined, more: Partial<ServiceAnswer> = {}): ServiceAnswer => ({
  _tag: "ServiceAnswer",
  stamp: at(seq),
  cseq: seq,
  prevCseq: seq - 1,
  cluster: "east",
  namespace: "shop",
  name: "web",
  uid: "uid-web",
  addresses: address === undefined ? [] : [{ address, pool: "public" }],
  refusal: null,
  cause: { seq, type: "VipAssigned", reason: "pool-selected", actor: "test" },
  ...more
})

const found = (seq: number, more: Partial<ObjectFindings> = {}): ObjectFindings => ({
  _tag: "ObjectFindings",
  stamp: at(seq),
  cseq: seq,
  prevCseq: seq - 1,
  cluster: "east",
  object: { kind: "IPAddressPool", namespace: "metallb-system", name: "public" },
  findings: [{ code: "LT0121", severity: "error", field: "spec", message: "overlaps", fix: "shrink it" }],
  cause: { seq, type: "FindingsReported", reason: "judged", actor: "test" },
  ...more
})

const message = (content: ServiceAnswer | ObjectFindings, by = key, under = messageKey(content)) => ({
  subject: stateSubject("east", under),
  text: seal(by, JSON.stringify(content))
})

/** A folder of statuses, a server with streams, and the agent's writer when it is started. */
const setting = Effect.fnUntraced(function* (server: NatsServer) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-statuses-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const bus = yield* Layer.build(layerBus({ servers: [server.url], name: "test" }))
  const within = <A, E, R>(effect: Effect.Effect<A, E, R | Bus>) => Effect.provideContext(effect, bus)
  yield* within(ensureStreams)
  const text = (name = "web") => {
    const path = join(folder, "Service", "shop", `${name}.yaml`)
    return existsSync(path) ? readFileSync(path, "utf8") : ""
  }
  return {
    folder,
    server,
    text,
    start: within(Effect.forkScoped(writeStatuses("east", keys, folder))),
    publish: (...messages: ReadonlyArray<ReturnType<typeof message>>) => within(publishAll(messages)),
    /** Waits until everything published so far has been looked at: this one comes after it. */
    caughtUp: Effect.gen(function* () {
      const name = `last-${Math.random().toString(36).slice(2)}`
      yield* within(publishAll([message(answer(1, "192.0.2.9", { name, uid: name }))]))
      yield* until(
        "the last status",
        Effect.sync(() => text(name).includes("192.0.2.9"))
      )
    }),
    /** Names of Services whose status was reported as written. */
    reports: within(readStored(wireStream, wireFilter)).pipe(
      Effect.map((reports) =>
        reports
          .map(({ text }) => JSON.parse(text).entries[0])
          .filter(({ name }) => name === "web")
          .map(({ stamp }) => stamp.seq as number)
      )
    )
  }
})

const writing = (
  title: string,
  test: (given: Effect.Success<ReturnType<typeof setting>>) => Effect.Effect<unknown, unknown, Scope.Scope>
) => it.live(title, () => onNats((server) => Effect.flatMap(setting(server), test)))

describe("the status of a Service", () => {
  writing("stands with the annotation that names its pool, for as long as it has an address", (given) =>
    Effect.gen(function* () {
      const annotation = /^ {2}annotations:\n {4}metallb\.io\/ip-allocated-from-pool: (.+)$/m
      yield* given.publish(message(answer(1, "192.0.2.1")))
      yield* given.start
      yield* until(
        "the address",
        Effect.sync(() => given.text().includes("192.0.2.1"))
      )
      assert.strictEqual(annotation.exec(given.text())?.[1], "public")
      const addresses = [
        { address: "192.0.2.1", pool: "four" },
        { address: "2001:db8::1", pool: "six" }
      ]
      yield* given.publish(message(answer(2, undefined, { addresses })))
      yield* until(
        "both addresses",
        Effect.sync(() => given.text().includes("2001:db8::1"))
      )
      assert.strictEqual(annotation.exec(given.text())?.[1], "four,six")
      yield* given.publish(message(answer(3, undefined)))
      yield* given.caughtUp
      assert.notInclude(given.text(), "annotations")
    })
  )

  writing("is what the centre answers, stored or new, and is reported once for each change", (given) =>
    Effect.gen(function* () {
      yield* given.publish(message(answer(1, "192.0.2.1")))
      yield* given.start
      yield* until(
        "the stored one",
        Effect.sync(() => given.text().includes("192.0.2.1"))
      )
      yield* given.publish(message(answer(2, "192.0.2.2")))
      yield* until(
        "the new one",
        Effect.sync(() => given.text().includes("192.0.2.2"))
      )
      assert.notInclude(given.text(), "192.0.2.1")
      assert.include(given.text(), "PoolSelected")
      yield* given.publish(message(answer(3, "192.0.2.2"))) // says the same
      yield* given.caughtUp
      yield* until(
        "both reports",
        Effect.map(given.reports, (seqs) => seqs.length >= 2)
      )
      assert.deepStrictEqual(yield* given.reports, [1, 2])
    })
  )

  writing("keeps its addresses while it is found wrong and when it is mended, and goes with the Service", (given) =>
    Effect.gen(function* () {
      yield* given.start
      const object = { kind: "Service", namespace: "shop", name: "web" }
      yield* given.publish(message(answer(1, "192.0.2.1")), message(found(2, { object })))
      yield* given.caughtUp
      assert.include(given.text(), "192.0.2.1")
      assert.include(given.text(), "LT0121")
      yield* given.publish(message(found(3, { object, findings: [], gone: true })))
      yield* given.caughtUp
      assert.include(given.text(), "192.0.2.1")
      assert.notInclude(given.text(), "LT0121")
      const gone = { seq: 4, type: "ServiceGone", reason: "gone", actor: "test" }
      yield* given.publish(message(answer(4, undefined, { cause: gone })))
      yield* given.caughtUp
      assert.strictEqual(given.text(), "")
    })
  )

  writing("says why there is none", (given) =>
    Effect.gen(function* () {
      yield* given.start
      const refusal = { code: "LT0203", message: "no pool has it", fix: "ask for another" }
      yield* given.publish(message(answer(1, undefined, { refusal })))
      yield* until(
        "the refusal",
        Effect.sync(() => given.text().includes("LT0203"))
      )
      assert.include(given.text(), "no pool has it. Fix: ask for another")
      assert.match(given.text(), /ingress: \[\]/)
    })
  )

  writing("is never an older one, whatever comes later", (given) =>
    Effect.gen(function* () {
      yield* given.start
      yield* given.publish(message(answer(5, "192.0.2.5")))
      yield* until(
        "the newest",
        Effect.sync(() => given.text().includes("192.0.2.5"))
      )
      yield* given.publish(message(answer(4, "192.0.2.4")), message(answer(5, "192.0.2.6")))
      yield* given.caughtUp
      assert.include(given.text(), "192.0.2.5")
      yield* given.publish(message(answer(1, "192.0.2.7", { stamp: { incarnation: 1, epoch: 2, seq: 1 } })))
      yield* until(
        "one of a later epoch",
        Effect.sync(() => given.text().includes("192.0.2.7"))
      )
    })
  )

  writing("is that of the Service which has the name now, not of the one that had it", (given) =>
    Effect.gen(function* () {
      // Both of one event, the last word to the one that is gone before the answer to the other, in either order of arrival.
      const gone = { cseq: 5 }
      const other = { name: "api", cseq: 6 }
      yield* given.publish(
        message(answer(6, undefined, gone)),
        message(answer(6, "192.0.2.1", { uid: "uid-2" })),
        message(answer(6, "192.0.2.2", { ...other, uid: "uid-4" })),
        message(answer(6, undefined, { ...other, ...gone, uid: "uid-3" }))
      )
      yield* given.start
      yield* given.caughtUp
      assert.include(given.text(), "192.0.2.1")
      assert.include(given.text("api"), "192.0.2.2")
      assert.deepStrictEqual(yield* given.reports, [6], "nothing out of date was written on the way")
    })
  )

  writing("is not what somebody else says", (given) =>
    Effect.gen(function* () {
      yield* given.start
      yield* given.caughtUp // so that it hears each of them
      const forged = message(answer(9, "192.0.2.66"), stranger)
      const foreign = message(answer(9, "192.0.2.67", { cluster: "west" }))
      const misplaced = message(answer(9, "192.0.2.68"), key, "svc.uid-other")
      const another = message(found(9), key, "svc.uid-web")
      yield* given.publish(forged, foreign, misplaced, another, { ...forged, text: "{" })
      yield* given.caughtUp
      assert.strictEqual(given.text(), "")
      assert.isFalse(existsSync(join(given.folder, "IPAddressPool")))
    })
  )

  writing("is written again when the folder takes it again, at the next look at everything", (given) =>
    Effect.gen(function* () {
      writeFileSync(join(given.folder, "Service"), "in the way")
      yield* given.start
      yield* given.publish(message(answer(1, "192.0.2.1")), message(found(1)))
      const other = join(given.folder, "IPAddressPool", "metallb-system", "public.yaml")
      yield* until(
        "the other status",
        Effect.sync(() => existsSync(other))
      )
      rmSync(join(given.folder, "Service"))
      yield* given.server.kill
      yield* given.server.restart
      yield* until(
        "the status",
        Effect.sync(() => given.text().includes("192.0.2.1"))
      )
    })
  )
})

describe("the status of a configuration object", () => {
  writing("lists what was found, and that nothing is", (given) =>
    Effect.gen(function* () {
      const path = join(given.folder, "IPAddressPool", "metallb-system", "public.yaml")
      const text = () => (existsSync(path) ? readFileSync(path, "utf8") : "")
      yield* given.start
      yield* given.publish(message(found(1)))
      yield* until(
        "the finding",
        Effect.sync(() => text().includes("LT0121 overlaps. Fix: shrink it"))
      )
      assert.include(text(), "metallb.io/v1beta1")
      yield* given.publish(message(found(2, { findings: [] })))
      yield* until(
        "that all is well",
        Effect.sync(() => text().includes("reason: Accepted"))
      )
      assert.notInclude(text(), "LT0121")
      yield* given.publish(message(found(3, { findings: [], gone: true })))
      yield* until(
        "no status any more",
        Effect.sync(() => text() === "")
      )
    })
  )
})

describe("a roll call", () => {
  it.live("is of another recovery where an incarnation was begun twice, and of none where it is forged", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const bus = yield* Layer.build(layerBus({ servers: [server.url], name: "test" }))
        const { connection } = Context.get(bus, Bus)
        yield* Effect.provideContext(ensureStreams, bus)
        const folder = mkdtempSync(join(tmpdir(), "lowtide-statuses-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
        const heard: Array<string> = []
        yield* writeStatuses("east", keys, folder, (recovery) => Effect.sync(() => void heard.push(recovery))).pipe(
          Effect.provideContext(bus),
          Effect.forkScoped
        )
        const call = (begun: string, by = key) =>
          Effect.map(connection, (nats) => {
            const rollCall = { _tag: "RollCall", stamp: { incarnation: 2, epoch: 1, seq: 9 }, cluster: "east", begun }
            nats.publish(rollCallSubject("east"), seal(by, JSON.stringify(rollCall)))
          })
        const untilHeard = (begun: string) =>
          until(
            `the call of ${begun}`,
            // Called again, since who is not there yet does not hear it.
            call("forged", stranger).pipe(
              Effect.andThen(call(begun)),
              Effect.map(() => heard.includes(`2 ${begun}`))
            )
          )
        yield* untilHeard("2026-01-01T00:00:00.000Z")
        yield* untilHeard("2026-01-02T00:00:00.000Z")
        assert.sameMembers([...new Set(heard)], ["2 2026-01-01T00:00:00.000Z", "2 2026-01-02T00:00:00.000Z"])
      })
    )
  )
})
