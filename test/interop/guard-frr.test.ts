import { guardInteropCases } from "./guard-cases.ts"
import { startGuardedFrr } from "./guard-lab.ts"

guardInteropCases({ name: "FRR", start: startGuardedFrr })
