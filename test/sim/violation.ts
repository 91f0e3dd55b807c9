/** What a history showed to be broken, with the law. */
export class Violation extends Error {}

export const fail = (law: string, detail: string): never => {
  throw new Violation(`${law}: ${detail}`)
}
