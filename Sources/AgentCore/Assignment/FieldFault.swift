/// One thing wrong with one field of a document or one setting.
package struct FieldFault: Equatable, Hashable, Sendable {
    /// Path of the field, such as `r2.endpoint`, or name of the setting.
    package var field: String
    /// What is wrong and what would be right; never repeats a secret.
    package var problem: String

    package init(field: String, problem: String) {
        self.field = field
        self.problem = problem
    }

    package var description: String { "\(field) \(problem)" }
}

extension FieldFault {
    /// One generation is one wish.
    package static func changedWish(_ generation: Int64) -> FieldFault {
        FieldFault(
            field: "generation", problem: "\(generation) says something else than before; a change needs a new one")
    }
}
