import { Context } from "effect"

/** What a command sees of the terminal, the machine and the clock. */
export class Surroundings extends Context.Service<
  Surroundings,
  {
    /** The command line, without the program. */
    readonly args: ReadonlyArray<string>
    /** The result. A line end is added. */
    readonly out: (text: string) => void
    /** Octets of a result that is too long to be held at once; answers when there is room for more. */
    readonly write: (octets: Uint8Array) => Promise<void>
    /** Progress, warnings and errors. A line end is added. */
    readonly err: (text: string) => void
    /** A terminal that shows colours, and nobody asked for none. */
    readonly hasColour: boolean
    /** Columns of the terminal that shows the result; undefined where it goes elsewhere. */
    readonly screenColumns: number | undefined
    readonly nowMs: number
    /** IANA name of the zone in which people read times. */
    readonly timeZone: string
    readonly workingFolder: string
    /** `LOWTIDE_SERVER`. */
    readonly serverVariable: string | undefined
    /** `LOWTIDE_TOKEN`. */
    readonly tokenVariable: string | undefined
    /** `LOWTIDE_CA_FILE`. */
    readonly caFileVariable: string | undefined
    /** `DATABASE_URL`. Secret: it is never printed. */
    readonly databaseVariable: string | undefined
    /** `LOWTIDE_CHECKPOINT_KEYS`. */
    readonly checkpointKeysVariable: string | undefined
    /** `LOWTIDE_CONTROL_SOCKET`. */
    readonly controlSocketVariable: string | undefined
    /** `LOWTIDE_STATE_DIR`. */
    readonly stateFolderVariable: string | undefined
    /** The operating system's name of who runs the command. */
    readonly user: string
  }
>()("@lowtide/cli/Surroundings") {}
