import { createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ownOpen } from "../src/fsm/negotiate.ts"
import { type InspectAction, inspectMessage, type PeerEvent, startPeer } from "../src/index.ts"
import { encodeMessage, extendedMessageBytesMax, keepalive } from "../src/wire/message.ts"
import { endOfRib } from "../src/wire/update.ts"
import { until } from "./live.ts"
import { messageOctets, octets } from "./octets.ts"

/** What the receiver owes the message: a NOTIFICATION that ends the session, something milder, or nothing. */
type Outcome = `${number}/${number}` | Exclude<InspectAction, "notification"> | "nothing"

interface PastCrash {
  /** What other speakers did with messages of this class, and where that is told. */
  readonly title: string
  readonly message: Uint8Array
  readonly outcome: Outcome
  /** A message that ends a session only before it is up; it is not sent on one that is. */
  readonly isOpen?: true
  /** From a peer that knows AS numbers of two octets alone; on the session, which is of four, it has another meaning. */
  readonly isOfTwoOctets?: true
}

const update = (text: string) => messageOctets(2, octets(text))
const origin = "400101 00"
const asPath = "400206 0201 0000fbf5"
const nextHop = "400304 c0000201"
const prefix = "20 c6336401"
const mandatory = `${origin} ${asPath} ${nextHop}`
/** An UPDATE of these attributes and one route: both lengths are right. */
const withAttributes = (attributes: string, nlri = prefix) =>
  update(`0000 ${octets(attributes).length.toString(16).padStart(4, "0")} ${attributes} ${nlri}`)
/** An OPEN with these optional parameters, their length as given. */
const open = (length: string, parameters: string) =>
  messageOctets(1, octets(`04 fbf5 005a c0000201 ${length} ${parameters}`))
const header = (length: number, type: number) => {
  const bytes = messageOctets(type, new Uint8Array(0))
  bytes.set([length >> 8, length & 255], 16)
  return bytes
}

/** Each class of message that has crashed, hung or reset a BGP speaker before. */
const pastCrashes: ReadonlyArray<PastCrash> = [
  { title: "message type 0 (GoBGP 3.10 dies)", message: header(19, 0), outcome: "1/3" },
  { title: "message type 6 (GoBGP 3.10 dies)", message: header(19, 6), outcome: "1/3" },
  { title: "message type 255 (GoBGP 3.10 dies)", message: header(19, 255), outcome: "1/3" },
  { title: "a length below the header's own", message: header(18, 4), outcome: "1/2" },
  { title: "a length of 0, which a reader may loop on", message: header(0, 2), outcome: "1/2" },
  { title: "a KEEPALIVE of 65,535 octets, which a reader may wait for", message: header(65_535, 4), outcome: "1/2" },
  { title: "OPEN in Established (GoBGP 3.10 dies)", message: open("00", ""), outcome: "5/3" },
  {
    title: "MP_REACH_NLRI of three octets (GoBGP 3.10 dies; FRR CVE-2023-46752)",
    message: withAttributes(`${mandatory} 800e03 000201`),
    outcome: "3/9"
  },
  {
    title: "MP_REACH_NLRI whose next hop runs past its end",
    message: withAttributes(`${mandatory} 800e05 000201 ff 20`),
    outcome: "3/9"
  },
  {
    title: "MP_UNREACH_NLRI of two octets",
    message: withAttributes(`${mandatory} 800f02 0002`),
    outcome: "3/9"
  },
  {
    title: "an End-of-RIB with more in it (FRR CVE-2023-47234)",
    message: withAttributes("800f03 000201 400101 09", ""),
    outcome: "3/6"
  },
  {
    title: "a route with none of the attributes it must have (FRR CVE-2023-46753)",
    message: withAttributes("c06303 010203"),
    outcome: "treat-as-withdraw"
  },
  {
    title: "routes beside attributes of length zero (FRR CVE-2023-41358)",
    message: update(`0000 0000 ${prefix}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "withdrawn routes that run past the message",
    message: update("ffff 0000"),
    outcome: "3/1"
  },
  {
    title: "attributes that run past the message",
    message: update(`0000 ffff ${mandatory}`),
    outcome: "3/1"
  },
  { title: "a prefix of 33 bits", message: withAttributes(mandatory, "21 c633640100"), outcome: "3/10" },
  { title: "a prefix of 255 bits and no octets", message: withAttributes(mandatory, "ff"), outcome: "3/10" },
  {
    title: "a tunnel encapsulation attribute (23) that lies about its length (FRR CVE-2023-38802, CVE-2024-44070)",
    message: withAttributes(`${mandatory} c01704 0008ffff`),
    outcome: "nothing"
  },
  {
    title: "a broken Prefix-SID (40), over which networks reset in May 2025",
    message: withAttributes(`${mandatory} c02804 0500ffff`),
    outcome: "nothing"
  },
  {
    title: "a flow specification shorter than it says (GoBGP CVE-2025-43972, FRR CVE-2023-38406)",
    message: withAttributes(`${mandatory} 800e06 000185 00 00 f0`, ""),
    outcome: "nothing"
  },
  {
    title: "a labelled route that ends in its label (FRR CVE-2023-38407)",
    message: withAttributes(`${mandatory} 800e0c 000104 04 c0000201 00 18 0000`, ""),
    outcome: "nothing"
  },
  {
    title: "COMMUNITIES twice (Quagga CVE-2018-5379)",
    message: withAttributes(`${mandatory} c00804 fbf00064 c00804 fbf00064`),
    outcome: "attribute-discard"
  },
  {
    title: "an AS4_PATH that lies, before the AS_PATH it belongs to (GoBGP CVE-2026-41643)",
    message: withAttributes(`${origin} c01106 02ff 0000fbf5 400204 0201 fbf5 ${nextHop}`),
    outcome: "attribute-discard",
    isOfTwoOctets: true
  },
  {
    title: "an attribute that everyone is to know, and nobody does (GoBGP CVE-2026-41642)",
    message: withAttributes(`${mandatory} 406301 00`),
    outcome: "3/2"
  },
  {
    title: "an ORIGIN that is not transitive, which makes the route a withdrawn one (GoBGP CVE-2026-42285)",
    message: withAttributes(`000101 00 ${asPath} ${nextHop}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "IPv6 extended communities that end in the first (GoBGP CVE-2026-37461)",
    message: withAttributes(`${mandatory} c01913 ${"00".repeat(19)}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "withdrawn routes that leave no room for the length of the attributes (GoBGP CVE-2026-37462)",
    message: update("0002 080a"),
    outcome: "3/1"
  },
  {
    title: "an AS_PATH of no octets (GoBGP GHSA-frrj-87jh-2772)",
    message: withAttributes(`${origin} 400200 ${nextHop}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "an SRv6 service that moves bits of its SID beyond it (FRR F-004 of 2026; GoBGP CVE-2026-7734)",
    message: withAttributes(
      `${mandatory} c02825 05 0022 00 01 001e 00 ${"20010db8".repeat(4)} 00 0001 00 01 0006 20 10 10 00 ff 80`
    ),
    outcome: "nothing"
  },
  {
    title: "a labelled route with ten labels (FRR F-002 of 2026)",
    message: withAttributes(`${mandatory} 800e29 000104 04 c0000201 00 f8 ${"000010".repeat(9)} 000011 0a`, ""),
    outcome: "nothing"
  },
  {
    title: "an unknown attribute that fills an extended message (FRR F-007 of 2026)",
    message: withAttributes(`${mandatory} d063ff80 ${"00".repeat(0xff80)}`),
    outcome: "nothing"
  },
  {
    title: "an AS_PATH segment with more AS numbers than octets",
    message: withAttributes(`${origin} 400206 02ff 0000fbf5 ${nextHop}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "an AS_PATH segment without an AS number",
    message: withAttributes(`${origin} 400202 0200 ${nextHop}`),
    outcome: "treat-as-withdraw"
  },
  {
    title: "an attribute header that the list cuts off",
    message: withAttributes(`${mandatory} 50`),
    outcome: "treat-as-withdraw"
  },
  {
    title:
      "a NOTIFICATION whose text says that it is longer than the message (BIRD CVE-2019-16159, Quagga CVE-2018-5378)",
    message: messageOctets(3, octets("06 02 ff 41")),
    outcome: "ignore"
  },
  {
    title: "a Hard Reset within a Hard Reset, 32,757 times, which a reader may overflow its stack on",
    message: messageOctets(3, octets("06 09".repeat(32_758))),
    outcome: "ignore"
  },
  {
    title: "a ROUTE-REFRESH whose filters end before they began (FRR CVE-2023-41360)",
    message: messageOctets(5, octets("0001 00 01 01")),
    outcome: "1/2"
  },
  {
    title: "long optional parameters that are cut off (FRR CVE-2022-40302, CVE-2022-43681)",
    message: open("ff", "ff 00"),
    outcome: "2/0",
    isOpen: true
  },
  {
    title: "a parameter longer than all of them (FRR CVE-2022-40318)",
    message: open("04", "02 ff 0104"),
    outcome: "2/0",
    isOpen: true
  },
  {
    title: "a capability longer than its parameter (FRR CVE-2022-37032)",
    message: open("04", "02 02 45 ff"),
    outcome: "2/0",
    isOpen: true
  },
  {
    title: "a capability cut off after its code, which a reader may loop on (Quagga CVE-2018-5381)",
    message: open("03", "02 01 41"),
    outcome: "2/0",
    isOpen: true
  },
  {
    title: "a software version that is empty, or longer than its capability (GoBGP CVE-2025-43971)",
    message: open("0c", "02 04 4b02 ff41 02 04 4102 0001"),
    outcome: "2/0",
    isOpen: true
  }
]

const context = {
  ...{ fourOctetAs: true, isInternal: false, localAsn: 65_551, peerAsn: 64_501 },
  messageBytesMax: extendedMessageBytesMax
} as const

const outcomeOf = ({ message, isOpen, isOfTwoOctets }: PastCrash): Outcome => {
  const { error } = inspectMessage(message, {
    ...context,
    fourOctetAs: isOfTwoOctets === undefined,
    state: isOpen ? "OpenSent" : "Established"
  })
  if (error === null) return "nothing"
  return error.action === "notification"
    ? `${error.notification!.code}/${error.notification!.subcode}`
    : (error.action as Exclude<InspectAction, "notification">)
}

describe("what has crashed other speakers", () => {
  for (const crash of pastCrashes) {
    it(`${crash.title}: ${crash.outcome}`, () => assert.strictEqual(outcomeOf(crash), crash.outcome))
  }

  it.live("is outlived by every session, each of which ends only where it must; another session is not touched", () =>
    Effect.gen(function* () {
      const last = pastCrashes.length // the session to which nothing odd is said
      const server = yield* hostileServer(pastCrashes.map(({ message }) => message))
      const events: ReadonlyArray<Array<PeerEvent>> = Array.from({ length: last + 1 }, () => [])
      const start = (index: number) =>
        startPeer(
          {
            name: `tor-${index}`,
            host: "127.0.0.1",
            port: server.port,
            localAsn: 65_551,
            peerAsn: 64_501,
            routerId: `192.0.2.${index + 1}`,
            holdTimeSeconds: 90,
            connectRetrySeconds: 3_600,
            families: [4, 6],
            nextHops: { 6: "2001:db8::2" }
          },
          (event) => events[index]!.push(event)
        )
      const peers = yield* Effect.forEach(
        events.map((_, index) => index),
        start
      )
      for (const [index, crash] of pastCrashes.entries()) {
        const ends = () => events[index]!.find(({ _tag }) => _tag === "SessionEnded" || _tag === "ConnectFailed")
        const isNotice = crash.message[18] === 3
        if (/\//.test(crash.outcome) || isNotice) {
          yield* until(`${crash.title}: the session ends`, () => ends() !== undefined)
          const { notification } = ends() as {
            readonly notification?: { readonly code: number; readonly subcode: number }
          }
          const found = `${notification?.code}/${notification?.subcode}`
          assert.strictEqual(
            found,
            isNotice ? [...crash.message.subarray(19, 21)].join("/") : crash.outcome,
            crash.title
          )
        } else {
          // After it the server sends End-of-RIB for both families and a KEEPALIVE: whoever counts them has outlived it.
          yield* until(`${crash.title}: goes on`, () => peers[index]!.status().messages.received.Keepalive >= 2)
          assert.strictEqual(peers[index]!.status().state, "Established", crash.title)
          assert.isUndefined(ends(), crash.title)
        }
      }
      yield* until("the session to which nothing odd is said", () => events[last]!.length >= 2)
      assert.strictEqual(peers[last]!.status().state, "Established")
      assert.deepStrictEqual(
        events[last]!.map(({ _tag }) => _tag),
        ["SessionEstablished", "TableWritten"]
      )
    }).pipe(Effect.scoped)
  )
})

const peerOpen = encodeMessage(
  ownOpen({
    localAsn: 64_501,
    peerAsn: "any",
    routerId: 0xc0_00_02_fe,
    holdTimeSeconds: 90,
    connectRetryMs: 1_000,
    families: [4, 6],
    opens: "accept"
  }),
  context
)

/** A peer that answers each speaker, told by its identifier, with its message: as its OPEN, or once the session is up. */
const hostileServer = (messages: ReadonlyArray<Uint8Array>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        socket.once("data", (bytes: Buffer) => {
          const message = messages[bytes[27]! - 1] // the last octet of the identifier
          if (message?.[18] === 1 && message.length !== 29) return void socket.write(message)
          const says = [peerOpen, encodeMessage(keepalive, context), ...(message === undefined ? [] : [message])]
          const after = [encodeMessage(endOfRib(4), context), encodeMessage(keepalive, context)]
          socket.write(Buffer.concat([...says, ...after]))
        })
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const { port } = server.address() as { readonly port: number }
      return { port, server, sockets }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )
