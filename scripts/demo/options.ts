/** How the demo was called. */
export interface DemoOptions {
  readonly once: boolean
  readonly json: boolean
  /** Loopback addresses even where network namespaces could be made. */
  readonly loopback: boolean
  /** 0 for any that is free. */
  readonly apiPort: number
  /** Where manifests, statuses and logs are kept; undefined for the usual place. */
  readonly folder: string | undefined
}

export const demoHelp = `Runs Lowtide for real: one allocator with PostgreSQL and NATS, two clusters of three nodes with a speaker each, and a
router for each cluster (BIRD for east, FRR for west), every node and router in a network namespace of its own.
About forty Services get addresses, and the routers learn equal-cost routes to them.

  npm run demo                        until Ctrl-C, which leaves nothing behind
  npm run -s demo -- --once --json    starts it, verifies it against the routers' tables, prints one JSON summary, ends

Options
  --once        stop when all is there and verified; exit 0, or 1 with the difference
  --json        with --once: the summary as JSON on stdout
  --loopback    no network namespaces: loopback addresses and high ports, as it is done without the right to make them
  --api-port N  the API's port on 127.0.0.1 (7070, with --once any that is free)
  --folder DIR  keep manifests, statuses and logs there, instead of .lowtide/demo; what it holds is deleted first
  --help

Environment
  DATABASE_URL  a PostgreSQL to use instead of one that is started for the demo; the demo makes a database of
                its own on it, which goes when the demo ends

Everything it writes is in .lowtide/demo: edit the files below .lowtide/demo/manifests and watch.
With --once, seconds are counted from the start of the allocator, the first process of Lowtide.
`

/** What is wrong with the arguments, or the options. */
export const parseOptions = (args: ReadonlyArray<string>): DemoOptions | "help" | { readonly fault: string } => {
  let options: DemoOptions = {
    once: false,
    json: false,
    loopback: false,
    apiPort: args.includes("--once") ? 0 : 7070,
    folder: undefined
  }
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]
    switch (arg) {
      case "--help":
      case "-h":
        return "help"
      case "--once":
        options = { ...options, once: true }
        break
      case "--json":
        options = { ...options, json: true }
        break
      case "--loopback":
        options = { ...options, loopback: true }
        break
      case "--folder": {
        const folder = args[++index]
        if (folder === undefined) return { fault: "--folder: expected a folder, found nothing" }
        options = { ...options, folder }
        break
      }
      case "--api-port": {
        const text = args[++index] ?? ""
        const apiPort = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
        if (!(apiPort <= 65_535))
          return { fault: `--api-port: expected a port of 0..65535, found ${JSON.stringify(text)}` }
        options = { ...options, apiPort }
        break
      }
      default:
        return {
          fault: `expected one of --once, --json, --loopback, --api-port, --folder, --help, found ${JSON.stringify(arg)}`
        }
    }
  }
  return options.json && !options.once ? { fault: "--json goes with --once" } : options
}
