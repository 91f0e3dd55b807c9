import { formatCodesPage } from "../packages/domain/src/config/codes-text.ts"
import { runGeneratedPage } from "./generated-page.ts"

runGeneratedPage({
  script: "scripts/codes-md.ts",
  page: "docs/reference/codes.md",
  source: "packages/domain/src/config/codes.ts",
  format: formatCodesPage
})
