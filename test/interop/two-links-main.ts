import { startListener, startPeer } from "@lowtide/bgp"
import { Effect, Result } from "effect"

/** Two peers of one link-local address, each on an interface of its own and with a password of its own, that are waited for. */
const links = [
  { device: "left", asn: 64501, password: "spring-tide" },
  { device: "right", asn: 64502, password: "neap-tide" }
]

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const peers = yield* Effect.forEach(links, ({ device, asn, password }) =>
        startPeer(
          {
            ...{ name: device, host: `fe80::1%${device}`, port: 179, localAsn: 64512, peerAsn: asn },
            ...{ routerId: "192.0.2.2", holdTimeSeconds: 3, families: [4, 6], isDialled: false },
            md5Key: () => Result.succeed(new TextEncoder().encode(password))
          },
          (event) => console.log(device, event._tag, "reason" in event ? event.reason : "")
        )
      )
      const listener = yield* startListener({ host: "::", port: 179 }, ({ remoteAddress, kind }) =>
        console.log("refused", remoteAddress, kind)
      )
      for (;;) {
        for (const fault of listener.setPeers(peers)) console.log("fault", fault)
        yield* Effect.sleep(200)
      }
    })
  )
)
