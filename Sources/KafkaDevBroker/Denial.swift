/// What somebody may not do where all else is allowed: an ACL of Kafka that denies.
package struct Denial: Sendable, Hashable {
    package enum Operation: String, Sendable, CaseIterable {
        case read, write, describe
    }

    package enum Resource: Sendable, Hashable {
        case topic(String)
        case transactionalID(String)
    }

    package var operation: Operation
    package var resource: Resource
    /// Who logged in under this name; nil for everybody.
    package var user: String?

    package init(_ operation: Operation, _ resource: Resource, user: String? = nil) {
        self.operation = operation
        self.resource = resource
        self.user = user
    }

    /// Reads `write topic orders` or `describe transactional-id shop alice`; nil if it is neither.
    package init?(_ text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard (3...4).contains(words.count), let operation = Operation(rawValue: words[0]) else {
            return nil
        }
        let resource: Resource
        switch words[1] {
        case "topic": resource = .topic(words[2])
        case "transactional-id": resource = .transactionalID(words[2])
        default: return nil
        }
        self.init(operation, resource, user: words.count > 3 ? words[3] : nil)
    }

    func concerns(_ user: String?) -> Bool {
        self.user == nil || self.user == user
    }
}
