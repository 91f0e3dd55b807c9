/** Where a caller without a credential says who it is. */
export const userHeader = "x-lowtide-user"
