/// Names a state directory in what it sends, so that two on one topic can be told apart.
///
/// Chosen at random when the database is made. A copy gets another one.
package struct OwnerID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

extension OwnerID: CustomStringConvertible {
    /// Always 16 hexadecimal digits, as the header `forktail.position` has it.
    package var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Whether the database is the one that the last process wrote.
package enum Ownership: Equatable, Sendable {
    /// It is, or it is new.
    case same
    /// It is a copy of `original`'s, or was restored from one: who wrote since is not known.
    ///
    /// It stays so over restarts until ``CheckpointStore/resolveOwnership()``.
    case copied(original: OwnerID)
}
