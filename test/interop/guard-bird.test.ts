import { guardInteropCases } from "./guard-cases.ts"
import { startGuardedBird } from "./guard-lab.ts"

guardInteropCases({ name: "BIRD", start: startGuardedBird })
