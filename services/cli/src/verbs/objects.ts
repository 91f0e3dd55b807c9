import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import type { FleetManifest } from "@lowtide/api/fleet-objects"
import type { FleetKind } from "@lowtide/domain"
import { parseIpAddress } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { unreadable, usageFault } from "../fault.ts"
import { reasonFlag, storedReason } from "../reason.ts"
import { serverFlags } from "../root.ts"
import { showOrder } from "./orders.ts"

/** Why, where a person wants to say so. */
const reason = reasonFlag(storedReason).pipe(Flag.optional)

const orderOf = (reason: Option.Option<string>) => ({
  commandId: randomUUID(),
  ...(Option.isSome(reason) ? { reason: reason.value } : {})
})

const applyOne = (object: FleetManifest, reason: Option.Option<string>) =>
  Effect.gen(function* () {
    const payload = { ...orderOf(reason), object }
    const { kind, metadata } = object
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) => client.orders.apply({ payload })),
      `${kind} ${metadata.name} is so already`
    )
  })

/** `lowtide apply -f FILE`. */
export const apply = Command.make(
  "apply",
  {
    file: Flag.String("file").pipe(
      Flag.withAlias("f"),
      Flag.withDescription(
        "A file of Reservations, AddressPools, SharedAddresses, Quotas and the Fleet, YAML or JSON; - for the standard input"
      )
    ),
    reason
  },
  Effect.fnUntraced(function* ({ file, reason }) {
    const objects = yield* readObjects(file)
    for (const object of objects) yield* applyOne(object, reason)
  })
).pipe(
  Command.withDescription("Create or change objects of the whole fleet, one after another as they stand in the file"),
  Command.withExamples([
    { command: "lowtide apply -f reservations.yaml", description: "Nothing happens to those that are so already" }
  ])
)

/** The objects of a file. Whatever is wrong with one of them is told before the first is applied. */
const readObjects = Effect.fnUntraced(function* (file: string) {
  const octets = yield* Effect.try({
    try: () => readFileSync(file === "-" ? 0 : file),
    catch: (cause) => unreadable("--file", file, cause)
  })
  const domain = yield* Effect.promise(() => import("@lowtide/domain/config/index"))
  const { manifests, findings } = domain.parseManifests(domain.decodeManifest(octets), { file })
  const faults = [
    ...findings,
    ...manifests.flatMap(({ object }) => domain.decodeFleetObject(object).findings),
    ...manifests.flatMap((manifest) => {
      const { kind, name } = manifest.object
      const first = manifests.find(({ object }) => object.kind === kind && object.name === name)
      if (first === undefined || first === manifest) return []
      const found = `a second one; the first is at line ${first.locate("").line}`
      const facts = { object: { kind, name }, expected: "each object once", found, source: manifest.locate("") }
      return [domain.finding("LT0122", facts)]
    })
  ]
  if (faults.length > 0) {
    const told = faults.map(domain.findingText).join("; ")
    return yield* usageFault(told, "nothing was applied; objects of one cluster go into its folder of manifests")
  }
  if (manifests.length === 0) {
    return yield* usageFault(`--file: expected objects in ${file}, found none`, "see docs/reference/manifests.md")
  }
  return manifests.map(({ object: { apiVersion, kind, name, labels, spec } }) => ({
    apiVersion,
    kind,
    metadata: { name, ...(labels === undefined ? {} : { labels: labels as Readonly<Record<string, string>> }) },
    ...(spec === undefined ? {} : { spec })
  }))
})

const kinds: Readonly<Record<string, FleetKind>> = {
  reservation: "Reservation",
  reservations: "Reservation",
  res: "Reservation",
  quota: "Quota",
  quotas: "Quota",
  qu: "Quota",
  addresspool: "AddressPool",
  addresspools: "AddressPool",
  sharedaddress: "SharedAddress",
  sharedaddresses: "SharedAddress",
  fleet: "Fleet"
}

/** `lowtide delete TYPE/NAME`. */
export const remove = Command.make(
  "delete",
  {
    target: Argument.String("type/name").pipe(
      Argument.withDescription("reservation/NAME, quota/NAME, addresspool/NAME, sharedaddress/NAME or fleet/NAME")
    ),
    reason
  },
  Effect.fnUntraced(function* ({ target, reason }) {
    const [word = "", name = "", ...rest] = target.split("/")
    const kind = Object.hasOwn(kinds, word) ? kinds[word] : undefined
    if (kind === undefined || name === "" || rest.length > 0) {
      const what = `expected reservation/NAME, quota/NAME, addresspool/NAME, sharedaddress/NAME or fleet/NAME, found ${JSON.stringify(target)}`
      return yield* usageFault(what, "list them with `lowtide get reservations`")
    }
    const payload = orderOf(reason)
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) => client.orders.deleteObject({ params: { kind, name }, payload })),
      `there is no ${kind} ${name}`
    )
  })
).pipe(
  Command.withDescription(
    "Delete a reservation, a quota, a pool of the fleet, a shared address or the Fleet object; what Services hold they keep"
  ),
  Command.withExamples([
    { command: "lowtide delete reservation/web", description: "Its address is free for all, unless its Service has it" }
  ])
)

/** `lowtide reserve ADDRESS --for CLUSTER/NS/NAME`. */
export const reserve = Command.make(
  "reserve",
  {
    address: Argument.String("address").pipe(
      Argument.withDescription("The address; or --pool to have one chosen"),
      Argument.optional
    ),
    pool: Flag.String("pool").pipe(Flag.withDescription("The lowest address of this pool"), Flag.optional),
    ipFamily: Flag.Literals("ip-family", ["IPv4", "IPv6"]).pipe(
      Flag.withDescription("With --pool, of a pool that has both"),
      Flag.optional
    ),
    service: Flag.String("for").pipe(
      Flag.withDescription("CLUSTER/NAMESPACE/NAME, of a Service that may not exist yet")
    ),
    name: Flag.String("name").pipe(
      Flag.withDescription("The reservation's name; CLUSTER.NAMESPACE.NAME unless given"),
      Flag.optional
    ),
    reason
  },
  Effect.fnUntraced(function* ({ address, pool, ipFamily, service, name, reason }) {
    const example = "for example `lowtide reserve 192.0.2.10 --for east/shop/web`"
    const [cluster = "", namespace = "", serviceName = "", ...rest] = service.replace(/^service\//, "").split("/")
    if (serviceName === "" || rest.length > 0) {
      return yield* usageFault(`--for: expected CLUSTER/NAMESPACE/NAME, found ${JSON.stringify(service)}`, example)
    }
    if (Option.isNone(address) && Option.isNone(pool)) {
      return yield* usageFault("reserve: expected an address or --pool, found neither", example)
    }
    const parsed = Option.map(address, parseIpAddress)
    if (Option.isSome(parsed) && Result.isFailure(parsed.value)) {
      return yield* usageFault(`address: ${parsed.value.failure}`, example)
    }
    const spec = {
      for: { cluster, namespace, name: serviceName },
      ...given("address", address),
      ...given("pool", pool),
      ...given("ipFamily", ipFamily)
    }
    const metadata = { name: Option.getOrElse(name, () => [cluster, namespace, serviceName].join(".")) }
    yield* applyOne({ apiVersion: "lowtide.dev/v1alpha1", kind: "Reservation", metadata, spec }, reason)
  })
).pipe(
  Command.withDescription("Keep an address for a Service by its name: that Service gets it, and nobody else"),
  Command.withExamples([
    { command: "lowtide reserve 192.0.2.10 --for east/shop/web", description: "Before there is such a Service" },
    { command: "lowtide reserve --pool public --for east/shop/web", description: "The lowest address of the pool" }
  ])
)

const given = (field: string, value: Option.Option<string>) => (Option.isSome(value) ? { [field]: value.value } : {})
