/** What an AS is to its neighbour: RFC 9234 §3. */
export type BgpRole = "provider" | "rs" | "rs-client" | "customer" | "peer"

/** By IANA's number, "BGP Role Value". */
const roles: ReadonlyArray<BgpRole> = ["provider", "rs", "rs-client", "customer", "peer"]

/** The role's number in the capability. */
export const roleCode = (role: BgpRole): number => roles.indexOf(role)

/** The role with that number, if there is one. */
export const roleOf = (code: number): BgpRole | undefined => roles[code]

/** Which role the neighbour of each must have: RFC 9234 §4.2, table 2. */
export const counterpart: { readonly [Role in BgpRole]: BgpRole } = {
  provider: "customer",
  customer: "provider",
  rs: "rs-client",
  "rs-client": "rs",
  peer: "peer"
}

/** Whether a route that we tell the neighbour must not go on to its providers and peers: RFC 9234 §5, egress rule 1. */
export const marksRoutes = (own: BgpRole): boolean => own === "provider" || own === "peer" || own === "rs"

/**
 * Why the roles that an external peer tells fit neither each other nor ours, RFC 9234 §4.2; `undefined` where they do. Without a
 * role of our own every one fits, but several must be the same.
 */
export const roleMisfit = (told: ReadonlyArray<number>, own: BgpRole | undefined): string | undefined => {
  const found = [...new Set(told)]
  const text = found.map((code) => roleOf(code) ?? `number ${code}`).join(" and ")
  if (found.length > 1) return `it tells several roles: ${text}`
  if (own === undefined || found.every((code) => roleOf(code) === counterpart[own])) return undefined
  return `its role is ${text}, our configuration as ${own} expects ${counterpart[own]}`
}
