internal import Checkpointing
internal import FileTailing
internal import Kafka

/// What lanes tell of their part in a transaction.
protocol TransactionTelling: Sendable {
    /// All that the lane sent is acknowledged, and its checkpoints are said; or it has gone back.
    func rested(round: Int, hasSent: Bool)
    /// A record cannot be part of the transaction, which therefore cannot be committed.
    ///
    /// - Parameter isKnown: whether the next one can, by what is known now.
    func failed(because reason: String, isKnown: Bool)
}

/// What a lane knows of the transaction that its records go into.
struct LaneTransaction {
    enum Errand: Equatable {
        /// Come to a cut: all that is sent is acknowledged, and no line is sent in part.
        case rest(round: Int)
        /// Go back to the last commit, when all that is sent has come back.
        case rewind(round: Int)
    }

    var errand: Errand?
    /// Whether it was told that the transaction cannot be committed.
    var hasFailed = false
    /// Whether a record was sent since the last cut.
    var hasSent = false
    /// The books as they stood at the last commit.
    var books = Books()

    struct Books {
        var ledgers: [Ledger] = []
        var drops: [[Int64]] = []
        var acknowledgedBytes: Int64 = 0
    }
}

/// Where a file's last commit stands: its reading begins here again if the transaction is aborted.
struct CommittedPlace {
    var checkpoint: Checkpoint
    var header: [UInt8]?
    /// Another file that is read first.
    var after: Int?
    var isStopped = false
}

/// What is known of a record that Kafka refused in a transaction that was aborted for it.
struct KnownRefusal {
    let message: String
    /// What it may take if it is a dead letter, which is cut to that; nil for one that will not do.
    let limit: Int?
}
