import { guardInteropCases } from "./guard-cases.ts"
import { startGuardedBird } from "./guard-routers.ts"

guardInteropCases({ name: "BIRD", start: startGuardedBird })
