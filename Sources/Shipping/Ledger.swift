/// The books of one pipeline: every record read is sent, dropped, failed, or on its way.
package struct Ledger: Sendable, Equatable {
    package var read: Int64 = 0
    /// Input records that became records for Kafka; they count when read, not when acknowledged.
    package var sent: Int64 = 0
    /// Input records, sent or dead-lettered, of which Kafka has not acknowledged everything.
    package var unacknowledged: Int64 = 0
    package var dropped: [String: Int64] = [:]
    package var failures: [Failure: Int64] = [:]
    /// Kafka records acknowledged, by topic.
    package var topics: [String: Int64] = [:]
    /// What happened to files.
    package var files: [FileCounter: Int64] = [:]

    /// What went wrong, with the first place where it did.
    package struct Failure: Sendable, Hashable {
        package enum Fate: String, Sendable { case deadLettered, skipped, stopped }

        package let kind: String
        package let fate: Fate
        /// The message without the value, so that alike failures count as one.
        package let summary: String

        package init(kind: String, fate: Fate, summary: String) {
            self.kind = kind
            self.fate = fate
            self.summary = summary
        }
    }

    package init() {}

    package var droppedCount: Int64 { dropped.values.reduce(0, +) }

    package func failed(_ fate: Failure.Fate) -> Int64 {
        failures.reduce(0) { $1.key.fate == fate ? $0 + $1.value : $0 }
    }

    /// Input records that were sent, and Kafka has them.
    package var acknowledgedSent: Int64 { max(0, sent - unacknowledged) }

    /// Input records whose dead letters Kafka has: what is on its way is taken for sent first.
    package var acknowledgedDeadLetters: Int64 {
        failed(.deadLettered) - max(0, unacknowledged - sent)
    }

    /// Input records that failed and are dealt with.
    package var acknowledgedFailures: Int64 {
        failedCount - failed(.deadLettered) + acknowledgedDeadLetters
    }

    package var linesCut: Int64 { files[.linesCut] ?? 0 }

    package var linesSkipped: Int64 { files[.linesSkipped] ?? 0 }

    package var failedCount: Int64 { failures.values.reduce(0, +) }

    /// Adds another lane's books to these.
    package mutating func add(_ other: Ledger) {
        read += other.read
        sent += other.sent
        unacknowledged += other.unacknowledged
        files.merge(other.files, uniquingKeysWith: +)
        dropped.merge(other.dropped, uniquingKeysWith: +)
        failures.merge(other.failures, uniquingKeysWith: +)
        topics.merge(other.topics, uniquingKeysWith: +)
    }
}
