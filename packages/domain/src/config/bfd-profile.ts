/** A BFDProfile (RFC 5880 §6.8.1 parameters). Read and checked; BFD itself is not run yet. */
export interface BfdProfile {
  readonly name: string
  readonly namespace: string
  readonly receiveIntervalMs: number
  readonly transmitIntervalMs: number
  readonly detectMultiplier: number
  readonly echoIntervalMs: number
  readonly echoMode: boolean
  readonly passiveMode: boolean
  readonly minimumTtl: number
}
