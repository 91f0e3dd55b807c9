import { ForbiddenProblem, NotFoundProblem, RefusedProblem } from "@lowtide/api/problems"
import { codes, type Finding, type FindingCode } from "@lowtide/domain"

/** The problem that a refused order amounts to: one that a role is missing for, about what is not known, or contradictory. */
export const problemOf = (reply: {
  readonly code: string
  readonly message: string
  readonly fix?: string
}): NotFoundProblem | ForbiddenProblem | RefusedProblem => {
  const { message: detail } = reply
  const code = reply.code as FindingCode // of our own findings
  const fix = reply.fix ?? codes[code].fix
  switch (code) {
    case "LT0602":
    case "LT0603":
    case "LT0608":
      return new ForbiddenProblem({ detail, code, fix, role: /expected (.*?), found/.exec(detail)?.[1] ?? "" })
    case "LT0604":
      return new NotFoundProblem({ detail })
    default:
      return new RefusedProblem({ detail, code, fix })
  }
}

/** The problem of who may not do something that is no command. */
export const forbiddenProblem = ({ code, message, expected, fix }: Finding): ForbiddenProblem =>
  new ForbiddenProblem({ detail: message, code, fix, role: expected })
