import { currencyParameters } from "@lowtide/api/currency"
import { KnownParameters } from "@lowtide/api/known-parameters"
import { InvalidQueryProblem } from "@lowtide/api/problems"
import { didYouMean } from "@lowtide/domain/words"
import { Effect, Layer, type Schema, SchemaAST } from "effect"
import { HttpServerRequest } from "effect/http"

/** Holds every request of the API to the parameters that its operation has. */
export const KnownParametersLive: Layer.Layer<KnownParameters> = Layer.succeed(
  KnownParameters,
  (answer, { endpoint }) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const known = [...namesOf(endpoint.query), ...currencyParameters.map(({ name }) => name)]
      for (const field of new URL(request.url, "http://localhost").searchParams.keys()) {
        if (known.includes(field)) continue
        const detail = `${field}: expected one of the parameters [${known.join(", ")}], found another${didYouMean(field, known)}`
        return yield* new InvalidQueryProblem({ field, detail })
      }
      return yield* answer
    })
)

const namesOf = (query: Schema.Top | undefined): ReadonlyArray<string> =>
  query !== undefined && SchemaAST.isObjects(query.ast)
    ? query.ast.propertySignatures.map(({ name }) => String(name))
    : []
