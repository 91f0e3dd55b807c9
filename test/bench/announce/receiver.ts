import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { BirdControl } from "./bird-control.ts"
import { type AnnounceLab, routerAsn, type SenderPlace, until } from "./lab.ts"

/** The BIRD that every sender speaks to: a protocol for each session, which is off until it is measured. */
export const startReceiver = async ({ folder, places, startInRouter }: AnnounceLab): Promise<BirdControl> => {
  const [file, control] = [join(folder, "receiver.conf"), join(folder, "receiver.ctl")]
  await writeFile(file, configOf(places))
  startInRouter(["bird", "-f", "-c", file, "-s", control, "-P", `${control}.pid`])
  await until("the receiver is up", async () => {
    ;(await BirdControl.open(control)).close()
    return true
  })
  return BirdControl.open(control)
}

/** The receiver's protocols of a sender, one a session. */
export const protocolsOf = ({ name, sessions }: SenderPlace): ReadonlyArray<string> =>
  sessions.map((_, session) => `from_${name}_${session}`)

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
