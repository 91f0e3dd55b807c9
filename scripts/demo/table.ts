import type { ServiceView } from "@lowtide/api/services"
import { formatPrefix, hostPrefix, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { RouterCheck } from "./verify.ts"

const columns = ["SERVICE", "VIP", "POOL", "ANNOUNCED BY", "NEXT HOPS IN THE ROUTER"] as const

/** A line for each address of each Service; the last column is what its cluster's router itself says. */
export const fleetTable = (services: ReadonlyArray<ServiceView>, checks: ReadonlyArray<RouterCheck>): string => {
  const rows = services.flatMap((service) => {
    const name = `${service.cluster}/${service.namespace}/${service.name}`
    const found = checks.find(({ cluster }) => cluster === service.cluster)?.found
    if (service.addresses.length === 0) return [[name, "-", "-", "-", service.refusal?.code ?? service.state]]
    return service.addresses.map(({ address, pool }, index) => {
      const prefix = formatPrefix(hostPrefix(Result.getOrThrow(parseIpAddress(address))))
      const announcing = service.announcing.map((node) => node.replace(`${service.cluster}-`, "-")).join(" ")
      const hops = found?.get(prefix)?.join(" ") ?? "no route"
      return [index === 0 ? name : "", address, pool, index === 0 ? announcing || "nobody" : "", hops]
    })
  })
  return alignColumns([columns, ...rows])
}

/** Columns as wide as their widest cell, two blanks apart, nothing behind the last. */
export const alignColumns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => (row[index] ?? "").length)))
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
