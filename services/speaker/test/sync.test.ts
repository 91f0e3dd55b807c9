import type { ClusterHead } from "@lowtide/domain/announcing/intent"
import { assert, describe, it } from "vitest"
import { headAgeMsMax, nextSyncDeadlineMs, onHead, onLive, onTick, resyncJitterMs, startSync } from "../src/sync.ts"

const set = { digest: "aa", count: 3, newest: { incarnation: 1, cseq: 7 } }
const head = (change: Partial<ClusterHead> = {}): ClusterHead => ({
  _tag: "ClusterHead",
  stamp: { incarnation: 1, epoch: 1, seq: 70 },
  cseq: 7,
  cluster: "east",
  digest: "aa",
  count: 3,
  ...change
})
const at = (nowMs: number, jitter = 0.5) => ({ nowMs, jitter })
const live = onHead(startSync(0), head(), set, at(1_000))

describe("sync", () => {
  it("is stale until a head agrees in digest and count", () => {
    assert.strictEqual(startSync(0).state, "stale")
    assert.strictEqual(live.state, "live")
    assert.strictEqual(live.completeCseq, 7)
    assert.strictEqual(onHead(startSync(0), head({ count: 4 }), set, at(0)).state, "stale")
    assert.strictEqual(onHead(startSync(0), head({ digest: "bb" }), set, at(0)).state, "stale")
  })

  it("reads again after a digest that differs, with a jitter of up to 2 s", () => {
    const stale = onHead(live, head({ digest: "bb", cseq: 8 }), set, at(5_000))
    assert.strictEqual(stale.state, "stale")
    assert.strictEqual(stale.completeCseq, 7)
    assert.strictEqual(nextSyncDeadlineMs(stale), 5_000 + resyncJitterMs / 2)
    assert.isFalse(onTick(stale, at(5_999)).resync)
    assert.isTrue(onTick(stale, at(6_000)).resync)
  })

  it("waits for the next head while it is ahead of the last: a batch is on its way", () => {
    assert.strictEqual(onHead(live, head({ digest: "bb", cseq: 6 }), set, at(5_000)), live)
  })

  it("compares with the head of a new incarnation though its numbers are lower", () => {
    const restored = head({ stamp: { incarnation: 2, epoch: 1, seq: 1 }, cseq: 1, digest: "bb" })
    assert.strictEqual(onHead(live, restored, set, at(5_000)).state, "stale")
  })

  it("is complete message by message, and sees a gap", () => {
    const next = onLive(live, { cseq: 8, prevCseq: 7 }, 7, at(2_000))
    assert.deepStrictEqual([next.state, next.completeCseq], ["live", 8])
    const gap = onLive(next, { cseq: 10, prevCseq: 9 }, 8, at(3_000))
    assert.deepStrictEqual([gap.state, gap.completeCseq, gap.resyncAtMs], ["stale", 8, 4_000])
    assert.strictEqual(onLive(gap, { cseq: 11, prevCseq: 10 }, 10, at(3_000)).completeCseq, 8, "still lacks 9")
  })

  it("is stale and reads again 60 s after the last head that agreed", () => {
    assert.strictEqual(onTick(live, at(1_000 + headAgeMsMax - 1)).sync.state, "live")
    const old = onTick(live, at(1_000 + headAgeMsMax))
    assert.strictEqual(old.sync.state, "stale")
    assert.isFalse(old.resync, "the jitter is not over")
    assert.isTrue(onTick(old.sync, at(1_000 + headAgeMsMax + 1_000)).resync)
    assert.strictEqual(onHead(live, head(), set, at(50_000)).agreedAtMs, 50_000)
  })

  it("asks less and less often while reading again does not help", () => {
    let sync = onHead(live, head({ digest: "bb" }), set, at(0, 0))
    const gaps: Array<number> = []
    let lastMs = 0
    for (let count = 0; count < 9; count++) {
      const nowMs = nextSyncDeadlineMs(sync)
      gaps.push(nowMs - lastMs)
      lastMs = nowMs
      const ticked = onTick(sync, at(nowMs, 0))
      assert.isTrue(ticked.resync)
      sync = onHead(ticked.sync, head({ digest: "bb" }), set, at(nowMs, 0))
    }
    assert.deepStrictEqual(gaps, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  })
})
