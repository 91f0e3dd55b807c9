import { Context } from "effect"

/** What a command sees of the terminal, the machine and the clock. */
export class Surroundings extends Context.Service<
  Surroundings,
  {
    /** The result. A line end is added. */
    readonly out: (text: string) => void
    /** Progress, warnings and errors. A line end is added. */
    readonly err: (text: string) => void
    /** A terminal that shows colours, and nobody asked for none. */
    readonly hasColour: boolean
    readonly nowMs: number
    /** IANA name of the zone in which people read times. */
    readonly timeZone: string
    readonly workingFolder: string
    /** `LOWTIDE_SERVER`. */
    readonly serverVariable: string | undefined
    /** `DATABASE_URL`. Secret: it is never printed. */
    readonly databaseVariable: string | undefined
    /** Who runs the command, as the machine knows them. */
    readonly user: string
  }
>()("@lowtide/cli/Surroundings") {}
