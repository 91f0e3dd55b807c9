import { bgpInteropCases } from "./bgp-cases.ts"

bgpInteropCases({ name: "FRR", start: (lab, setup) => lab.startFrr(setup), knowsRoles: true })
