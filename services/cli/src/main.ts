#!/usr/bin/env node
import { enableCompileCache } from "node:module"

enableCompileCache() // from the second start on, half the time goes
const { main } = await import("./run.ts")
await main()
