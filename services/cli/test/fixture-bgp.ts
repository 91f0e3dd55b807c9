import type { BgpFlapList, BgpRoute, BgpRouteList, BgpSession, BgpSessionList } from "@lowtide/api/bgp"

const reading = { position: 24, asOf: "2026-11-23T14:05:18.000Z", reportsSince: null }

const session: BgpSession = {
  cluster: "east",
  node: "east-1",
  peer: "tor-a",
  peerAddress: "192.0.2.254",
  peerPort: 179,
  localAsn: 64500,
  peerAsn: 64501,
  localAddress: "192.0.2.11",
  state: "Established",
  since: "2026-11-23T14:05:00.000Z",
  establishedAt: "2026-11-23T14:05:00.000Z",
  prefixesSent: 2,
  prefixesWanted: 2,
  prefixesReceived: 3,
  bfd: "Up",
  why: null,
  settings: { ttlSecurityHops: null, maximumPrefixes: null, role: null, roleStrict: false, standby: null },
  peerRole: null,
  evidence: [],
  lastErrors: {
    sent: null,
    received: {
      at: "2026-11-23T14:04:50.000Z",
      reason:
        'peer tor-a (192.0.2.254) ended the session: NOTIFICATION 6/2 Administrative Shutdown sent by the peer with the text "new firmware"',
      notification: "6/2 Administrative Shutdown"
    },
    local: null
  },
  sync: "live"
}

export const bgpSessions: BgpSessionList = {
  ...reading,
  items: [
    session,
    {
      ...session,
      ...{ node: "east-2", state: "Active", establishedAt: null, prefixesSent: 0, bfd: null, localAddress: null },
      why: {
        code: "LT0302",
        reason:
          "peer tor-a (192.0.2.254) refused the session: NOTIFICATION 2/2 Bad Peer AS sent by the peer; it expects another ASN than our 64500",
        fix: "Make both sides agree"
      },
      lastErrors: {
        sent: null,
        local: null,
        received: { at: "2026-11-23T16:04:50.000Z", reason: "refused", notification: "2/2 Bad Peer AS" }
      }
    },
    {
      ...session,
      ...{ node: "east-3", state: "Unknown", since: null, establishedAt: null, prefixesSent: 0, prefixesWanted: 0 },
      ...{ prefixesReceived: null, bfd: null, localAddress: null, sync: "unknown" },
      why: { code: null, reason: "node east-3 was never heard", fix: null },
      lastErrors: { sent: null, received: null, local: null }
    },
    {
      ...session,
      ...{ node: "east-4", bfd: "Unknown" },
      bfdFault: { code: "LT0312", message: "the BFD process has the connection open and answers nothing" }
    }
  ]
}

const route: BgpRoute = {
  cluster: "east",
  node: "east-1",
  peer: "tor-a",
  prefix: "192.0.2.1/32",
  isStandby: false,
  nextHop: "192.0.2.11",
  asPath: [64500],
  localPref: null,
  med: null,
  communities: ["64500:100"],
  largeCommunities: ["64500:1:2"],
  vips: [
    {
      network: "default",
      address: "192.0.2.1",
      services: ["shop/web"],
      advertisements: ["all"],
      event: { seq: 12, type: "VipAssigned", reason: "requested-address", actor: "agent:east" }
    }
  ],
  since: "2026-11-23T14:05:09.000Z",
  intentAgreedAt: "2026-11-23T16:04:57.000Z",
  confirmed: { by: "written", at: "2026-11-23T14:05:09.000Z" }
}

export const bgpRoutes: BgpRouteList = {
  ...reading,
  items: [
    route,
    { ...route, prefix: "2001:db8::1/128", confirmed: { by: "bmp", router: "tor-a", at: "2026-11-23T14:05:10.000Z" } },
    {
      ...route,
      ...{ node: "east-2", isStandby: true, asPath: [64500, 64500, 64500, 64500], nextHop: null, since: null },
      confirmed: { by: null, reason: "the session is Active" }
    }
  ],
  leftOut: 0,
  unannounced: [
    { cluster: "east", node: "east-3", network: "default", address: "192.0.2.1", why: "NoLocalEndpoint" },
    { cluster: "east", node: "east-4", network: "default", address: "192.0.2.1", why: "Unknown" }
  ]
}

export const bgpFlaps: BgpFlapList = {
  position: 24,
  asOf: "2026-11-23T14:05:18.000Z",
  since: "2026-11-23T15:05:00.000Z",
  until: "2026-11-23T16:05:00.000Z",
  items: [
    {
      cluster: "east",
      node: "east-2",
      kind: "session",
      name: "tor-a",
      ups: 4,
      downs: 5,
      firstAt: "2026-11-23T15:10:00.000Z",
      lastAt: "2026-11-23T16:00:00.000Z",
      last: "down",
      reasons: [
        { code: "LT0304", reason: "hold timer expired", count: 4 },
        { code: null, reason: "changed: holdTime from 90 to 30", count: 1 }
      ]
    }
  ]
}
