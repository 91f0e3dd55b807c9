import { bfdInteropCases } from "./bfd-cases.ts"
import { startFrrBfd } from "./bfd-lab.ts"

bfdInteropCases({ name: "FRR", start: startFrrBfd })
