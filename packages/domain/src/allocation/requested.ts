import { Result } from "effect"
import { toAddress } from "../config/canonical.ts"
import type { Finding, ServiceObject } from "../config/index.ts"
import { available } from "./available.ts"
import { type AddressPick, type Choice, type Chooser, openPoolsOf, poolNames, poolsOf } from "./chooser.ts"
import { heldBy, poolNow } from "./held.ts"
import { unknownPool } from "./named-pool.ts"
import { isBuggy } from "./pick.ts"
import { poolAdmits, poolsHolding } from "./pool-choice.ts"
import { refusal } from "./refusal.ts"
import { requestField } from "./wish.ts"

/** The addresses that the Service asks for by name, all of them, or the refusal of the first that it cannot have. */
export const chooseRequested = (chooser: Chooser): Choice => {
  const picks: Array<AddressPick> = []
  for (const address of chooser.wish.requested) {
    const pick = takeRequested(chooser, address)
    if (Result.isFailure(pick)) return { picks: [], refusal: pick.failure }
    picks.push(pick.success)
  }
  const [first, second] = picks
  const isHeld = picks.every(({ address }) => heldBy(chooser).includes(address))
  if (first !== undefined && second !== undefined && first.pool !== second.pool && !isHeld) {
    return {
      picks: [],
      refusal: refusal(chooser.service, "LT0207", {
        field: requestField(chooser.service),
        expected: "addresses of one pool",
        found: `${first.address} of pool ${first.pool} and ${second.address} of pool ${second.pool}`
      })
    }
  }
  return { picks, refusal: null }
}

const takeRequested = (chooser: Chooser, text: string): Result.Result<AddressPick, Finding> => {
  const isHeld = heldBy(chooser).includes(text)
  return (isHeld ? poolOfHeld(chooser, text) : poolToAsk(chooser, text)).pipe(
    Result.flatMap((pool) => Result.map(available(chooser, text), () => pool)),
    Result.map((pool) => ({ address: text, pool, reason: "requested-address" as const }))
  )
}

/** What the Service has it goes on having, whatever its pool says by now, unless it names another pool. */
const poolOfHeld = (chooser: Chooser, text: string): Result.Result<string, Finding> => {
  const { fleet, cluster, wish } = chooser
  const named = poolsHolding(openPoolsOf(chooser), text).find(({ name }) => name === wish.pool)
  const vip = fleet.vip(cluster.network, text, cluster.name)
  const pool = named?.name ?? (vip === undefined ? "" : poolNow(chooser, vip))
  return wish.pool === undefined || wish.pool === pool ? Result.succeed(pool) : ofAnotherPool(chooser, text, pool)
}

/**
 * The pool that is asked for an address that the Service does not have. Of several, where the fleet's overlap with the
 * cluster's own, the one that the Service names, else the first that admits it, else the first.
 */
export const poolToAsk = (chooser: Chooser, text: string): Result.Result<string, Finding> => {
  const { service, cluster, wish } = chooser
  const open = poolsHolding(openPoolsOf(chooser), text)
  const named = open.find(({ name }) => name === wish.pool)
  const pool = named ?? open.find((pool) => poolAdmits(pool, cluster, service)) ?? open[0]
  if (pool === undefined) {
    const [retired] = poolsHolding(poolsOf(chooser), text)
    const found = retired === undefined ? text : `${text} of pool ${retired.name}, which is deleted`
    return refuseRequest(
      service,
      "LT0202",
      `an address of one of the pools [${poolNames(openPoolsOf(chooser))}]`,
      found
    )
  }
  if (wish.pool !== undefined && named === undefined) return ofAnotherPool(chooser, text, pool.name)
  if (!poolAdmits(pool, cluster, service)) {
    const expected = `a pool that serves namespace ${service.namespace} and these labels`
    return refuseRequest(service, "LT0205", expected, `${text} of pool ${pool.name}`)
  }
  return pool.avoidBuggyIPs && isBuggy(toAddress(text))
    ? refuseRequest(service, "LT0210", `an address that pool ${pool.name} does not avoid`, text)
    : Result.succeed(pool.name)
}

const ofAnotherPool = (chooser: Chooser, text: string, pool: string): Result.Result<never, Finding> => {
  const { service, wish } = chooser
  const named = wish.pool ?? ""
  return poolsOf(chooser).some(({ name }) => name === named)
    ? refuseRequest(
        service,
        "LT0202",
        `an address of pool ${named}, which the Service names`,
        `${text} of pool ${pool}`
      )
    : Result.fail(unknownPool(chooser, named))
}

const refuseRequest = (
  service: ServiceObject,
  code: "LT0202" | "LT0205" | "LT0210",
  expected: string,
  found: string
): Result.Result<never, Finding> =>
  Result.fail(refusal(service, code, { field: requestField(service), expected, found }))
