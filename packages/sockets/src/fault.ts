/** The kernel refused a socket or an option of it. `code` is errno's name, such as `EPERM`, where the kernel said one. */
export class SocketFault extends Error {
  override readonly name = "SocketFault"
  readonly code: string | undefined

  constructor(fault: { readonly operation: string; readonly detail: string; readonly code?: string }) {
    super(`could not ${fault.operation}: ${fault.detail}`)
    this.code = fault.code
  }
}
