import { resolve, sep } from "node:path"
import { parseName } from "@lowtide/domain"
import { optionalText, readSettings, SettingsFault } from "@lowtide/ops"
import { Config, Effect, Result } from "effect"

/** The agent's settings, all from the environment; docs/reference/settings.md lists them. */
const settings = {
  cluster: Config.String("LOWTIDE_CLUSTER"),
  natsUrl: Config.String("LOWTIDE_NATS_URL").pipe(Config.withDefault("nats://127.0.0.1:4222")),
  nkeyFile: optionalText("LOWTIDE_NATS_NKEY_FILE"),
  caFile: optionalText("LOWTIDE_NATS_CA_FILE"),
  manifests: Config.String("LOWTIDE_MANIFESTS"),
  statuses: Config.String("LOWTIDE_STATUSES"),
  trustFile: Config.String("LOWTIDE_TRUST_FILE"),
  listen: Config.String("LOWTIDE_HTTP_LISTEN").pipe(Config.withDefault("127.0.0.1:7071"))
}

/** Reads them. Statuses among the manifests would be read as what the cluster says. */
export const readAgentSettings = Effect.gen(function* () {
  const read = yield* readSettings(settings)
  const faults: Array<string> = []
  const name = parseName(read.cluster)
  if (Result.isFailure(name)) faults.push(`LOWTIDE_CLUSTER: ${name.failure}`)
  if (`${resolve(read.statuses)}${sep}`.startsWith(`${resolve(read.manifests)}${sep}`)) {
    faults.push(`LOWTIDE_STATUSES: expected a folder outside that of LOWTIDE_MANIFESTS, found ${read.statuses}`)
  }
  if (faults.length > 0) return yield* new SettingsFault({ faults })
  return read
})
