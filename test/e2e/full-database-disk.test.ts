import { execFileSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import type { CommandReply } from "@lowtide/bus"
import { readStored } from "@lowtide/bus/read-stream"
import { stateFilter, stateStream } from "@lowtide/bus/subjects"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { type CentreLab, leads, makeCentreLabIn, uuid } from "../faults/centre-lab.ts"
import { announcing, service } from "../faults/orders.ts"

/** A file system of its own; root may mount one. */
const smallDisk = Effect.acquireRelease(
  Effect.sync(() => {
    const disk = mkdtempSync(join(tmpdir(), "lowtide-database-"))
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs", disk])
    return disk
  }),
  (disk) =>
    Effect.sync(() => {
      execFileSync("umount", ["--lazy", disk])
      rmdirSync(disk)
    })
)

/** Takes all the room that there is. */
const fill = (path: string) => {
  const file = openSync(path, "w")
  try {
    for (const size of [1 << 20, 4096]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size, 1))
      } catch (cause) {
        assert.strictEqual((cause as NodeJS.ErrnoException).code, "ENOSPC")
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Every message of the cluster, as speakers have it. */
const published = (lab: CentreLab) =>
  lab.within(readStored(stateStream, stateFilter("east"))).pipe(
    Effect.map((stored) => stored.map(({ subject, text }) => `${subject} ${text}`).sort()),
    Effect.orDie
  )

const committed = (lab: CentreLab) =>
  Effect.map(lab.sql("select command_id::text as id from events where type = 'VipAssigned' order by seq"), (rows) =>
    rows.map(({ id }) => String(id))
  )

it.live(
  "a full disk under PostgreSQL: commands are told to come again and why, no route changes, and none is lost",
  () =>
    Effect.gen(function* () {
      const disk = yield* smallDisk
      const lab = yield* makeCentreLabIn(disk)
      const allocator = yield* lab.allocator("one")
      yield* leads(allocator)
      for (const command of announcing) yield* lab.send(command)
      const filler = join(disk, "filler")
      fill(filler)

      // What still has room in a page that is there is stored; then a table would have to grow.
      const done: Array<number> = []
      let refused: CommandReply | undefined
      let id = 1000
      while (refused === undefined) {
        assert.isBelow(id, 3000, "the disk is full, and all is stored")
        const reply = yield* lab.ask(service(`s${id}`), id)
        if (reply?._tag === "Done") done.push(id++)
        else if (reply !== undefined) refused = reply
      }
      assert.strictEqual(refused._tag, "TryAgain")
      assert.match(refused._tag === "TryAgain" ? refused.message : "", /No space left on device/)
      yield* waitUntil(
        "the log says why",
        Effect.map(allocator.process.log, (log) => log.includes("No space left on device"))
      )
      assert.deepStrictEqual(yield* committed(lab), done.map(uuid), "what was answered is stored, and nothing else")
      yield* waitUntil(
        "all that is stored is published",
        Effect.map(
          published(lab),
          (messages) => messages.filter((text) => text.includes(".adv.")).length === done.length
        )
      )
      const before = yield* published(lab)
      for (let attempt = 2; attempt < 5; attempt++) {
        const again = yield* lab.ask(service(`s${id}`), id, attempt)
        assert.notStrictEqual(again?._tag, "Done")
        assert.notStrictEqual(again?._tag, "Refused")
      }
      assert.deepStrictEqual(yield* published(lab), before, "no speaker is told anything")

      rmSync(filler)
      assert.strictEqual((yield* lab.send(service(`s${id}`), id))._tag, "Done")
      assert.deepStrictEqual(yield* committed(lab), [...done, id].map(uuid))
      const [{ events, seq }] = yield* lab.sql(
        "select count(*)::int as events, (select seq::int from log_head) from events"
      )
      assert.strictEqual(events, seq)
    }).pipe(Effect.scoped)
)
