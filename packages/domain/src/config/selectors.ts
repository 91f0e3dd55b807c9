/** What a `matchExpressions` entry asks of one label. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist"
  /** Not empty for In and NotIn, empty otherwise. */
  readonly values: ReadonlyArray<string>
}

/** A Kubernetes LabelSelector. Every part must hold; one without parts matches everything. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>
  readonly matchExpressions: ReadonlyArray<LabelRequirement>
}

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>

/** Whether the labels satisfy the selector. NotIn holds for a label that is absent, as in Kubernetes. */
export const selectorMatches = (selector: LabelSelector, labels: Labels): boolean =>
  Object.entries(selector.matchLabels).every(([key, value]) => own(labels, key) === value) &&
  selector.matchExpressions.every((requirement) => requirementHolds(requirement, own(labels, requirement.key)))

/** Whether any selector matches; false for an empty list, so a caller for whom "none" means "all" says so itself. */
export const anySelectorMatches = (selectors: ReadonlyArray<LabelSelector>, labels: Labels): boolean =>
  selectors.some((selector) => selectorMatches(selector, labels))

/** Whether the object is selected where an empty list of selectors selects everything (peers, nodes, Services). */
export const selects = (selectors: ReadonlyArray<LabelSelector>, labels: Labels): boolean =>
  selectors.length === 0 || anySelectorMatches(selectors, labels)

const requirementHolds = (requirement: LabelRequirement, value: string | undefined): boolean => {
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value)
    case "NotIn":
      return value === undefined || !requirement.values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
  }
}

/** A label named like a member of Object.prototype is absent unless it is written. */
const own = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined)
