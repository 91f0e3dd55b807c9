import { assert, describe, it } from "vitest"
import { ceaseOfFailedPath } from "../src/path-failure.ts"
import { notificationName } from "../src/wire/notification.ts"

const told = (keptForSeconds: number, keptAfterNotification: boolean, mayBeRestart: boolean): string => {
  const cease = ceaseOfFailedPath({ keptForSeconds, keptAfterNotification }, { mayBeRestart })
  if (cease === undefined) return "nothing"
  const inside = cease.subcode === 9 ? ` of ${cease.data.join("/")}` : ""
  return notificationName(cease) + inside
}

describe("what a peer is told when the path to it is lost", () => {
  it("a path that is certainly gone has it drop our routes, also where it would keep them (RFC 8538 §3)", () => {
    assert.strictEqual(told(0, false, false), "6/10 BFD Down")
    assert.strictEqual(told(120, false, false), "6/10 BFD Down") // RFC 4724 §4: any NOTIFICATION drops them
    assert.strictEqual(told(120, true, false), "6/9 Hard Reset of 6/10")
  })

  it("where it may have restarted alone it keeps our routes, if it keeps any (RFC 5882 §4.3.2)", () => {
    assert.strictEqual(told(0, false, true), "6/10 BFD Down")
    assert.strictEqual(told(120, false, true), "nothing")
    assert.strictEqual(told(120, true, true), "6/10 BFD Down")
  })
})
