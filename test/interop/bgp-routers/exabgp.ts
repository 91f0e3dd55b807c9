import { appendFile, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { end, type LabContext } from "../bgp-lab.ts"

/** An ExaBGP that waits for one neighbour, and sends it whatever it is told to. */
export interface Exabgp {
  /** A line for its API: `announce route …`, `teardown 4`. */
  readonly say: (line: string) => Promise<void>
  /** What it was told in UPDATEs, a JSON text a line. */
  readonly heard: () => Promise<string>
  readonly kill: () => Promise<void>
}

/** Its commands are what stands in a file, which a process of its API prints as the file grows. */
export const startExabgp = async (
  { folder, start }: LabContext,
  session: {
    readonly address: string
    readonly neighbor: string
    readonly localAsn: number
    readonly neighborAsn: number
  }
): Promise<Exabgp> => {
  const [config, commands, heard] = ["exabgp.conf", "commands", "heard"].map((name) => join(folder, name)) as [
    string,
    string,
    string
  ]
  for (const file of [commands, heard]) await writeFile(file, "")
  await writeFile(
    config,
    `process commands { run /usr/bin/tail -n +1 -f ${commands}; encoder text; }
process heard { run /usr/bin/tee -a ${heard}; encoder json; }
neighbor ${session.neighbor} {
  router-id ${session.address};
  local-address ${session.address};
  local-as ${session.localAsn};
  peer-as ${session.neighborAsn};
  hold-time 9;
  passive;
  family { ipv4 unicast; ipv6 unicast; ipv4 flow; }
  capability { route-refresh enable; add-path send/receive; operational enable; aigp enable; }
  api commands { processes [ commands ]; }
  api heard { processes [ heard ]; receive { parsed; update; } }
}
`
  )
  const child = start(["exabgp", config], {
    "exabgp.tcp.bind": session.address,
    "exabgp.tcp.port": "179",
    "exabgp.daemon.user": "root",
    "exabgp.api.ack": "false",
    "exabgp.api.cli": "false"
  })
  child.stdout?.resume()
  return {
    say: (line) => appendFile(commands, `${line}\n`),
    heard: () => readFile(heard, "utf8"),
    kill: () => end(child)
  }
}
