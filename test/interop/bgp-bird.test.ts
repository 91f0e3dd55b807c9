import { bgpInteropCases } from "./bgp-cases.ts"

bgpInteropCases("BIRD")
