import { memoryLedger } from "@lowtide/testkit"
import { Effect } from "effect"
import { ledgerContract } from "./contract.ts"

ledgerContract(
  "memory",
  Effect.sync(() => memoryLedger())
)
