import { assert, describe, it } from "@effect/vitest"
import type { StoredWire } from "../../src/index.ts"
import { WireStretch, WireVerifier } from "../../src/proofs/wire-seal.ts"

const rows: ReadonlyArray<StoredWire> = Array.from({ length: 30 }, (_, index) => ({
  id: index * 2 + 1, // ids may have gaps
  recordedAt: "2026-11-23T14:00:00.000Z",
  cluster: "east",
  network: "default",
  address: "192.0.2.1",
  stampSeq: index,
  kind: "applied",
  detail: `{"n": ${index}}`
}))

const sealOver = (sinceId: number, untilId: number) => {
  const stretch = new WireStretch()
  for (const row of rows.filter(({ id }) => id >= sinceId && id <= untilId)) stretch.add(row)
  return { sinceId, untilId, count: stretch.count, root: stretch.root() }
}

const seals = [sealOver(1, 19), sealOver(20, 39)]

const verify = (journal: ReadonlyArray<StoredWire>, droppedUntilId?: number, read = seals) => {
  const verifier = new WireVerifier(read, droppedUntilId)
  for (const row of journal) verifier.add(JSON.stringify(row))
  return verifier.finish()
}

describe("the wire journal beside its seals", () => {
  it("fits when every row is as it was; later rows are not sealed yet", () => {
    assert.deepInclude(verify(rows), { isIntact: true, sealsFitting: 2, sealsWithoutRows: 0, rowsUnsealed: 10 })
  })

  it("does not when a row says what no leaf covers", () => {
    const more = rows.map((row) => (row.id === 5 ? { ...row, approvedBy: "ada" } : row))
    assert.deepStrictEqual(verify(more).faults, ["wire journal: row 5 has a field that no row has, or one twice"])
  })

  it("of which the oldest rows are no longer kept says so, and fits", () => {
    const kept = rows.filter(({ id }) => id > 19)
    assert.deepInclude(verify(kept, 19), { isIntact: true, sealsFitting: 1, sealsWithoutRows: 1 })
    assert.deepInclude(verify([], 39), { isIntact: true, sealsFitting: 0, sealsWithoutRows: 2 })
  })

  it("of which rows are being removed fits, since the log says so before the first one goes", () => {
    assert.deepInclude(verify(rows.slice(4), 19), { isIntact: true, sealsFitting: 1, sealsWithoutRows: 1 })
  })

  it("of which rows are gone that nobody removed by the log does not fit", () => {
    const why = "wire journal: rows 20 to 39 are gone, and the log does not say that they were removed"
    assert.deepStrictEqual(verify(rows.slice(0, 10), 0).faults, [why])
    assert.deepStrictEqual(verify([], 19).faults, [why])
  })

  it("is passed over where its seals are in archived events", () => {
    assert.deepInclude(verify(rows, 0, seals.slice(1)), {
      isIntact: true,
      sealsFitting: 1,
      rowsUnsealed: 10,
      rowsBefore: 10
    })
  })

  for (const [title, journal] of [
    ["a changed row", rows.with(12, { ...rows[12]!, detail: "{}" })],
    ["a changed column", rows.with(12, { ...rows[12]!, node: "east-1" })],
    ["a deleted row", rows.toSpliced(12, 1)],
    ["an added row", rows.toSpliced(12, 0, { ...rows[12]!, id: 24 })]
  ] as const) {
    it(`${title}: names the stretch`, () => {
      const verdict = verify(journal)
      assert.isFalse(verdict.isIntact)
      assert.match(verdict.faults[0] ?? "", /^wire journal: rows 20 to 39 were changed: expected 10 with root/)
    })
  }

  it("rows out of their order are a fault", () => {
    assert.match(verify([...rows, rows[3]!]).faults[0] ?? "", /row 7 stands after row 59/)
  })
})
