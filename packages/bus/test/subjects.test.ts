import { assert, describe, it } from "@effect/vitest"
import * as subjects from "../src/subjects.ts"

describe("subjects", () => {
  it("keep one cluster's messages below its own name, and stay below it whatever the name", () => {
    assert.strictEqual(subjects.stateSubject("east.example", "svc.uid-1"), "lt.v1.state.east_example.svc.uid-1")
    assert.strictEqual(subjects.stateFilter("*"), "lt.v1.state.~2a~.>")
    assert.strictEqual(subjects.commandSubject(">"), "lt.v1.cmd.~3e~")
    assert.strictEqual(subjects.statusSubject("east", "node-1.east"), "lt.v1.status.east.node-1_east")
    assert.strictEqual(subjects.wireSubject("east", "a b"), "lt.v1.wire.east.a~20~b")
  })

  it.each(["head", "svc.uid-1", "obj.BGPPeer.metallb-system.tor_a"])("give the key %s back, stored or live", (key) => {
    const stored = subjects.stateSubject("east.example", key)
    assert.strictEqual(subjects.keyOf(stored), key)
    assert.strictEqual(subjects.keyOf(stored.replace("lt.v1.", "lt.live.v1.")), key)
  })

  it("of a cluster are those that its filters name", () => {
    const under = (filter: string, subject: string) => subject.startsWith(filter.slice(0, -1))
    const subject = subjects.stateSubject("east", "head")
    assert.isTrue(under(subjects.stateFilter("east"), subject))
    assert.isTrue(under(subjects.liveFilter("east"), subject.replace("lt.v1.", "lt.live.v1.")))
    assert.isFalse(under(subjects.stateFilter("eas"), subject), "a name that begins alike is another's")
    assert.isTrue(under(subjects.statusFilter, subjects.statusSubject("east", "n1")))
    assert.isTrue(under(subjects.wireFilter, subjects.wireSubject("east", "n1")))
  })
})
