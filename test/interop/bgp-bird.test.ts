import { bgpInteropCases } from "./bgp-cases.ts"

bgpInteropCases({ name: "BIRD", start: (lab, setup) => lab.startBird(setup), knowsRoles: true })
