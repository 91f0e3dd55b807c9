import { formatInteropPage } from "../test/interop/bgp-coverage.ts"
import { runGeneratedPage } from "./generated-page.ts"

runGeneratedPage({
  script: "scripts/interop-md.ts",
  page: "docs/reference/interop.md",
  source: "test/interop/bgp-coverage.ts",
  format: formatInteropPage
})
