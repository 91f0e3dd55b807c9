import { reasonLengthMax } from "@lowtide/api/orders"
import { Flag } from "effect/cli"

/** `--reason`: refused here as whoever is ordered would refuse it, since nobody is asked before the command line is right. */
export const reasonFlag = (description: string): Flag.Flag<string> =>
  Flag.String("reason").pipe(
    Flag.withDescription(description),
    Flag.filter(
      (text) => text.trim() !== "" && text.length <= reasonLengthMax,
      (text) =>
        `words, 1 to ${reasonLengthMax} characters, found ${text.trim() === "" ? "none" : `${text.length} characters`}`
    )
  )

/** Of orders that stay in the record. */
export const storedReason = "Why, in your own words; it is stored with what follows"
