import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { BirdControl } from "./bird-control.ts"
import { type AnnounceLab, routerAsn, type SenderPlace, until } from "./lab.ts"

/**
 * The BIRD that every sender speaks to: a protocol for each session, which is off until it is measured. `watched` are places with
 * which it runs BFD as well: as fast as 50 ms x 3, if the other end asks for no more.
 */
export const startReceiver = async (
  { folder, places, startInRouter }: AnnounceLab,
  watched: ReadonlyArray<SenderPlace> = []
): Promise<BirdControl> => {
  const [file, control] = [join(folder, "receiver.conf"), receiverControl(folder)]
  await writeFile(file, configOf(places) + watched.map(bfdOf).join(""))
  startInRouter(["bird", "-f", "-c", file, "-s", control, "-P", `${control}.pid`])
  await until("the receiver is up", async () => {
    ;(await BirdControl.open(control)).close()
    return true
  })
  return BirdControl.open(control)
}

const receiverControl = (folder: string): string => join(folder, "receiver.ctl")

/** Where the receiver of a lab says who it is: its pid. */
export const receiverPidFile = ({ folder }: AnnounceLab): string => `${receiverControl(folder)}.pid`

/** The receiver's protocols of a sender, one a session. */
export const protocolsOf = ({ name, sessions }: SenderPlace): ReadonlyArray<string> =>
  sessions.map((_, session) => `from_${name}_${session}`)

const bfdOf = ({ device, sessions }: SenderPlace): string => `protocol bfd {
  interface "${device}" { interval 50 ms; multiplier 3; };
${sessions.map(({ router, local }) => `  neighbor ${local} dev "${device}" local ${router};\n`).join("")}}
`

const configOf = (places: ReadonlyArray<SenderPlace>): string =>
  [
    "router id 192.0.2.254;",
    "timeformat protocol iso long us;",
    "protocol device {}",
    ...places.flatMap((place) =>
      protocolsOf(place).map(
        (protocol, session) => `protocol bgp ${protocol} {
  disabled; local ${place.sessions[session]?.router} as ${routerAsn}; neighbor ${place.sessions[session]?.local} as ${place.asn};
  strict bind yes; connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import all; export none; };
}`
      )
    ),
    ""
  ].join("\n")
