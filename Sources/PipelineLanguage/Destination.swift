/// The cluster that a record goes to.
package enum Destination: Hashable, Sendable {
    /// The process's own: of each `send` that names none, and of dead letters.
    case own
    /// Another `kafka` block of `forktail.conf`.
    case other(String)

    /// Nil for the process's own cluster, which need not have one.
    package var name: String? {
        if case .other(let name) = self { name } else { nil }
    }
}

extension Plan {
    /// Where its records may go; the process's own cluster first, also where nothing is sent at all.
    package var destinations: [Destination] {
        var found: [Destination] = topicUses.isEmpty ? [.own] : []
        for use in topicUses where !found.contains(use.destination) {
            found.insert(use.destination, at: use.destination == .own ? 0 : found.count)
        }
        return found
    }

    /// Whether some `send` says where it goes.
    package var namesClusters: Bool {
        allSends.contains { $0.cluster != nil }
    }

    private var allSends: [Send] {
        guard case .steps(let answers) = errorPolicy else { return steps.flatMap(\.sends) }
        return (steps + answers).flatMap(\.sends)
    }
}
