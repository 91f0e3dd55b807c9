import { guardInteropCases } from "./guard-cases.ts"
import { startGuardedFrr } from "./guard-routers.ts"

guardInteropCases({ name: "FRR", start: startGuardedFrr })
