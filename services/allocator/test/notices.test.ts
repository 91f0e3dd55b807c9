import type { DomainEvent, Finding, FindingsState } from "@lowtide/domain"
import { finding } from "@lowtide/domain"
import { assert, describe, it } from "vitest"
import { noticesOf } from "../src/notices.ts"

const pool = { kind: "IPAddressPool", namespace: "metallb-system", name: "wide" }
const overlap = finding("LT0121", { object: pool, field: "spec.addresses[0]", expected: "a", found: "b" })
const unknown = finding("LT0104", { object: pool, field: "spec.colour", expected: "c", found: "d" })
const broken = finding("LT0105", { object: pool, field: "spec.autoAssign", expected: "e", found: "f" })

const findings = (agents: ReadonlyArray<Finding>, centres: ReadonlyArray<Finding>): FindingsState => ({
  _tag: "Findings",
  cluster: "east",
  object: pool,
  findings: [...agents, ...centres],
  reportedCount: agents.length
})

const event = (before: FindingsState | null, after: FindingsState | null): DomainEvent => ({
  stream: "findings:east/IPAddressPool/metallb-system/wide",
  type: after === null ? "FindingsResolved" : "FindingsReported",
  reason: "judged",
  before,
  after,
  about: { cluster: "east" }
})

describe("noticesOf", () => {
  it("says a new finding of the centre once, with its cluster", () => {
    const [notice, ...others] = noticesOf([event(null, findings([], [overlap]))])
    assert.deepStrictEqual(others, [])
    assert.strictEqual(notice?.severity, "error")
    assert.match(notice?.text ?? "", /^LT0121 cluster east: IPAddressPool metallb-system\/wide spec.addresses\[0]: /)
    assert.match(notice?.text ?? "", /expected a, found b\. Fix: /)
  })

  it("says only what is new beside what was there", () => {
    const notices = noticesOf([event(findings([], [overlap]), findings([], [overlap, unknown]))])
    assert.deepStrictEqual(
      notices.map(({ severity, text }) => [severity, text.includes("LT0104")]),
      [["warning", true]]
    )
  })

  it("leaves out what the agent found, and what is mended", () => {
    assert.deepStrictEqual(noticesOf([event(null, findings([broken], []))]), [])
    assert.deepStrictEqual(noticesOf([event(findings([], [overlap]), null)]), [])
    assert.strictEqual(noticesOf([event(findings([broken], []), findings([broken], [overlap]))]).length, 1)
  })
})
