import { Result } from "effect"
import type { AddressPool, Finding } from "../config/index.ts"
import { type Chooser, openPoolsOf, poolNames, poolsOf } from "./chooser.ts"
import { poolAdmits } from "./pool-choice.ts"
import { refusal } from "./refusal.ts"

/** The field in which a Service names the pool to take from. */
export const poolField = "metadata.annotations[metallb.io/address-pool]"

/** The pool that the Service names, which may be retired, or why it will not do: it is not there, or does not admit it. */
export const namedPool = (chooser: Chooser, name: string): Result.Result<AddressPool, Finding> => {
  const { cluster, service } = chooser
  const pool = poolsOf(chooser).find((pool) => pool.name === name)
  if (pool === undefined) return Result.fail(unknownPool(chooser, name))
  if (poolAdmits(pool, cluster, service)) return Result.succeed(pool)
  const expected = `a pool that serves namespace ${service.namespace} and these labels`
  return Result.fail(refusal(service, "LT0205", { field: poolField, expected, found: name }))
}

/** No pool that gives out addresses is called so. */
export const unknownPool = (chooser: Chooser, found: string): Finding => {
  const expected = `one of the pools [${poolNames(openPoolsOf(chooser))}]`
  return refusal(chooser.service, "LT0206", { field: poolField, expected, found })
}
