import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { SessionConfig } from "../src/fsm/config.ts"
import { negotiate, ownOpen } from "../src/fsm/negotiate.ts"
import { restartFlags } from "../src/wire/capability.ts"
import type { BgpOpen } from "../src/wire/open.ts"
import { type BgpRole, roleCode } from "../src/wire/role.ts"

const config: SessionConfig = {
  localAsn: 64512,
  peerAsn: 64501,
  routerId: 0xc0000202,
  holdTimeSeconds: 90,
  connectRetryMs: 1_000,
  families: [4, 6],
  opens: "dial"
}
const bare: BgpOpen = {
  _tag: "Open",
  version: 4,
  asn: 64501,
  holdTimeSeconds: 90,
  routerId: 0xc0000201,
  capabilities: [{ _tag: "MultiProtocol", afi: 1, safi: 1 }]
}
const withCapabilities = (...more: BgpOpen["capabilities"]): BgpOpen => ({
  ...bare,
  capabilities: [...bare.capabilities, ...more]
})
const agreed = (part: Partial<SessionConfig>, open: BgpOpen) =>
  Result.getOrThrow(negotiate({ ...config, ...part }, open))
const refused = (part: Partial<SessionConfig>, open: BgpOpen) => {
  const { reason, notification } = Result.getOrThrow(Result.flip(negotiate({ ...config, ...part }, open)))
  return `${notification.code}/${notification.subcode} ${reason}`
}

describe("what both OPENs agree on", () => {
  it("a peer that offers nothing gets plain BGP-4", () => {
    const { messageBytesMax, ...rest } = agreed({ offersExtendedNextHop: true }, bare)
    assert.isUndefined(messageBytesMax)
    assert.deepInclude(rest, {
      fourOctetAs: false,
      families: [4],
      extendedNextHop: false,
      enhancedRefresh: false,
      keptForSeconds: 0,
      keptAfterNotification: false
    })
  })

  it("a peer that offers what we do gets all of it", () => {
    const own: Partial<SessionConfig> = {
      offersExtendedNextHop: true,
      gracefulRestart: { restartTimeSeconds: 120, hasRestarted: true }
    }
    const open = ownOpen({ ...config, ...own, localAsn: 64501, routerId: 1 })
    assert.deepInclude(agreed(own, open), {
      fourOctetAs: true,
      families: [4, 6],
      messageBytesMax: 65_535,
      extendedNextHop: true,
      enhancedRefresh: true,
      keptForSeconds: 120,
      keptAfterNotification: true
    })
  })

  it("our routes are kept by a helper alone, for the time that we ask (RFC 4724 §3, §4.2)", () => {
    const gracefulRestart = { restartTimeSeconds: 120, hasRestarted: false }
    const helper = (flags: number) =>
      withCapabilities({ _tag: "GracefulRestart", flags, restartTimeSeconds: 7, families: [] })
    assert.deepInclude(agreed({ gracefulRestart }, helper(0)), { keptForSeconds: 120, keptAfterNotification: false })
    const notified = agreed({ gracefulRestart }, helper(restartFlags.notification))
    assert.deepInclude(notified, { keptForSeconds: 120, keptAfterNotification: true })
    assert.deepInclude(agreed({ gracefulRestart }, bare), { keptForSeconds: 0, keptAfterNotification: false })
    assert.deepInclude(agreed({}, helper(restartFlags.notification)), {
      keptForSeconds: 0,
      keptAfterNotification: false
    })
  })

  it("an IPv6 next hop for IPv4 takes both, and the encoding for IPv4 unicast", () => {
    const offer = (afi: number, safi: number, nextHopAfi: number) =>
      withCapabilities({ _tag: "ExtendedNextHop", encodings: [{ afi, safi, nextHopAfi }] })
    const own = { offersExtendedNextHop: true }
    assert.isTrue(agreed(own, offer(1, 1, 2)).extendedNextHop)
    assert.isFalse(agreed(own, offer(1, 128, 2)).extendedNextHop)
    assert.isFalse(agreed({}, offer(1, 1, 2)).extendedNextHop)
  })

  it("a restart is told, with all families' forwarding preserved", () => {
    const open = ownOpen({ ...config, gracefulRestart: { restartTimeSeconds: 4095, hasRestarted: true } })
    assert.deepInclude(open.capabilities, {
      _tag: "GracefulRestart",
      flags: 0xc,
      restartTimeSeconds: 4095,
      families: [
        { afi: 1, safi: 1, flags: 0x80 },
        { afi: 2, safi: 1, flags: 0x80 }
      ]
    })
  })
})

describe("a capability that is there more than once, RFC 5492 §4", () => {
  it("of graceful restart the last counts (RFC 4724 §3)", () => {
    const says = (flags: number) => ({ _tag: "GracefulRestart", flags, restartTimeSeconds: 120, families: [] }) as const
    const gracefulRestart = { restartTimeSeconds: 120, hasRestarted: false }
    const kept = (...flags: ReadonlyArray<number>) =>
      agreed({ gracefulRestart }, withCapabilities(...flags.map(says))).keptAfterNotification
    assert.isTrue(kept(0, restartFlags.notification))
    assert.isFalse(kept(restartFlags.notification, 0))
  })
  it("of extended next hops each lists some (RFC 8950 §4)", () => {
    const lists = (safi: number) => ({ _tag: "ExtendedNextHop", encodings: [{ afi: 1, safi, nextHopAfi: 2 }] }) as const
    const open = withCapabilities(lists(1), lists(128))
    assert.isTrue(agreed({ offersExtendedNextHop: true }, open).extendedNextHop)
    assert.isFalse(agreed({ offersExtendedNextHop: true }, withCapabilities(lists(128))).extendedNextHop)
  })
})

describe("the node itself has booted", () => {
  it("what it forwarded is gone, and the F bit says so (RFC 4724 §3)", () => {
    const gracefulRestart = { restartTimeSeconds: 120, hasRestarted: true, forwardingPreserved: false }
    const families = ownOpen({ ...config, gracefulRestart }).capabilities.flatMap((capability) =>
      capability._tag === "GracefulRestart" ? capability.families : []
    )
    assert.deepStrictEqual(
      families.map(({ flags }) => flags),
      [0, 0]
    )
  })
})

describe("an AS that is not named", () => {
  const own = { ...bare, asn: 64512 }
  it("internal is our own, external any other", () => {
    assert.isTrue(agreed({ peerAsn: "internal" }, own).isInternal)
    assert.deepInclude(agreed({ peerAsn: "external" }, bare), { isInternal: false, peerAsn: 64501 })
  })
  it("the other kind is refused with 2/2", () => {
    assert.strictEqual(
      refused({ peerAsn: "internal" }, bare),
      "2/2 its OPEN says AS 64501, our configuration expects our own AS 64512"
    )
    assert.strictEqual(
      refused({ peerAsn: "external" }, own),
      "2/2 its OPEN says AS 64512, our configuration expects any AS but our own 64512"
    )
  })
})

describe("roles, RFC 9234 §4.2", () => {
  const roles: ReadonlyArray<BgpRole> = ["provider", "rs", "rs-client", "customer", "peer"]
  const fitting = ["provider-customer", "customer-provider", "rs-rs-client", "rs-client-rs", "peer-peer"]
  for (const role of roles) {
    for (const theirs of roles) {
      const fits = fitting.includes(`${role}-${theirs}`)
      it(`${role} with ${theirs} ${fits ? "fits" : "is refused with 2/11"}`, () => {
        const open = withCapabilities({ _tag: "Role", code: roleCode(theirs) })
        if (fits) assert.strictEqual(agreed({ role }, open).peerRole, theirs)
        else assert.match(refused({ role }, open), new RegExp(`^2/11 its role is ${theirs}, our .*as ${role} expects`))
      })
    }
  }
  it("two roles that differ, or one that is not known, fit nothing", () => {
    const [peer, customer] = [3, 4].map((code) => ({ _tag: "Role", code }) as const)
    assert.match(refused({ role: "provider" }, withCapabilities(peer!, customer!)), /customer and peer/)
    assert.match(refused({ role: "provider" }, withCapabilities({ _tag: "Role", code: 9 })), /number 9/)
    assert.isFalse(agreed({ role: "provider" }, withCapabilities(peer!, peer!)).isInternal)
    assert.match(refused({}, withCapabilities(peer!, customer!)), /^2\/11 it tells several roles: customer and peer/)
  })
  it("a peer without one is taken, unless we are strict", () => {
    assert.isUndefined(agreed({ role: "provider" }, bare).peerRole)
    assert.match(refused({ role: "provider", isRoleStrict: true }, bare), /^2\/11 it tells no role/)
  })
  it("on an internal session they do not count", () => {
    const open = { ...withCapabilities({ _tag: "Role", code: 0 }), asn: 64512 }
    const { isInternal, peerRole } = agreed({ role: "provider", peerAsn: 64512 }, open)
    assert.deepStrictEqual([isInternal, peerRole], [true, undefined])
  })
})
