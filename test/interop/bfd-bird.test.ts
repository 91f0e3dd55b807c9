import { bfdInteropCases } from "./bfd-cases.ts"
import { startBirdBfd } from "./bfd-lab.ts"

bfdInteropCases({ name: "BIRD", start: startBirdBfd })
