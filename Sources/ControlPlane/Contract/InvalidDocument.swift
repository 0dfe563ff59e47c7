package import AgentCore

/// A well-formed body that says impossible things, each of them named.
package struct InvalidDocument: Error, Equatable, Sendable {
    package var faults: [FieldFault]
}
