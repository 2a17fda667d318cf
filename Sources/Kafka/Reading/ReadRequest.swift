package import KafkaProtocol
package import NIOCore

/// Which records a reader is shown of a partition in which there are transactions.
package enum IsolationLevel: String, Sendable, CaseIterable {
    /// All that is in the log.
    case readUncommitted = "read_uncommitted"
    /// What is committed, up to the first transaction that is still open.
    case readCommitted = "read_committed"

    var code: Int8 { self == .readCommitted ? 1 : 0 }
}

/// A place in a partition that only its leader knows by an offset.
package enum LogPlace: Sendable, Hashable {
    case start
    /// Behind the last record that a reader may see.
    case end
    /// The first record of this time or later, in milliseconds since 1970.
    case time(Int64)

    var timestamp: Int64 {
        switch self {
        case .start: -2
        case .end: -1
        case .time(let milliseconds): milliseconds
        }
    }
}

/// What a reader asks the leader of a partition.
package enum ReadRequest: Sendable, Equatable {
    case offset(of: LogPlace, in: TopicPartition, isolation: IsolationLevel)
    /// Batches from an offset on, about as many bytes as said, and one batch at least.
    case fetch(TopicPartition, from: Int64, maxBytes: Int32, isolation: IsolationLevel)

    var partition: TopicPartition {
        switch self {
        case .offset(_, let partition, _), .fetch(let partition, _, _, _): partition
        }
    }
}

/// What it answers.
package enum ReadAnswer: Sendable, Equatable {
    /// -1 stands for a time after the last record.
    case offset(Int64)
    case fetched(FetchedRecords)
    case failed(KafkaError)
}

/// A leader's answer to a fetch.
package struct FetchedRecords: Sendable, Equatable {
    /// A transaction that was aborted, from its first record on.
    package struct AbortedTransaction: Sendable, Equatable {
        package var producerID: Int64
        package var firstOffset: Int64

        package init(producerID: Int64, firstOffset: Int64) {
            self.producerID = producerID
            self.firstOffset = firstOffset
        }
    }

    package var logStart: Int64
    package var aborted: [AbortedTransaction]
    /// Whole batches, the last of which the broker may have cut.
    package var records: ByteBuffer

    package init(
        logStart: Int64 = -1,
        aborted: [AbortedTransaction] = [],
        records: ByteBuffer = ByteBuffer()
    ) {
        self.logStart = logStart
        self.aborted = aborted
        self.records = records
    }
}
