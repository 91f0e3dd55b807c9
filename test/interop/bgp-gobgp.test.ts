import { bgpInteropCases } from "./bgp-cases.ts"

bgpInteropCases({ name: "GoBGP", start: (lab, setup) => lab.startGobgp(setup) })
