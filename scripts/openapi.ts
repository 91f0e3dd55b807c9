/** Writes or checks the OpenAPI description of the HTTP API. See `--help`. */
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { LowtideApi } from "@lowtide/api"
import { OpenApi } from "effect/http-api"

const help = `Prints the OpenAPI 3.1 description of Lowtide's HTTP API, as /openapi.json answers it.

  node scripts/openapi.ts            print it
  node scripts/openapi.ts --write    write docs/reference/openapi.json
  node scripts/openapi.ts --check    exit 1 when docs/reference/openapi.json says something else`

const file = resolve(`${import.meta.dirname}/../docs/reference/openapi.json`)
const { values } = parseArgs({
  options: { write: { type: "boolean" }, check: { type: "boolean" }, help: { type: "boolean" } }
})
const text = `${JSON.stringify(OpenApi.fromApi(LowtideApi), null, 2)}\n`

if (values.help === true) console.log(help)
else if (values.write === true) writeFileSync(file, text)
else if (values.check === true) {
  if (readFileSync(file, "utf8") !== text) {
    console.error(`${file}: differs from the API; run node scripts/openapi.ts --write`)
    process.exitCode = 1
  }
} else process.stdout.write(text)
