import KafkaProtocol

@testable import Kafka

/// How a process goes on after one that ended.
enum RestartWay: String, CaseIterable {
    case newProducerID = "new producer id, send all again"
    case bumpedEpoch = "same id, bump the epoch on 45"
    case ladder = "ladder"
    case describing = "DescribeProducers alone"
    case exact = "DescribeProducers and Fetch"
}

/// The ways of others, as simply as they go.
extension CrashScene {
    func restart(_ way: RestartWay) throws {
        switch way {
        case .newProducerID: self.forgetRows()
        case .bumpedEpoch: try self.bumpEpoch()
        case .ladder: try self.climb()
        case .describing: try self.describe()
        case .exact: return try self.recover()
        }
        try self.writeRest()
    }

    /// Takes all records that no acknowledgement came for as if they had never been sent.
    private func forgetRows() {
        self.unwritten = self.rows.flatMap(\.records) + self.unwritten
        self.rows = []
    }

    /// Java's client: what is out of sequence goes on under the next epoch.
    private func bumpEpoch() throws {
        var identity: ProducerIdentity?
        var sequence: Int32 = 0
        for row in self.rows {
            if identity == nil, case .acknowledged = try self.produce(row) { continue }
            let bumped = identity ?? row.identity.next
            identity = bumped
            _ = try self.produce(row, as: bumped, sequence: sequence)
            sequence = RecordSequence.advance(sequence, by: Int32(row.records.count))
        }
        self.rows = []
    }

    /// Each batch is tried: one that is acknowledged settles those before it.
    private func climb() throws {
        var undecided: [Row] = []
        for row in self.rows {
            if case .acknowledged = try self.produce(row) {
                undecided = []
            } else {
                undecided.append(row)
            }
        }
        self.rows = undecided
        self.forgetRows()
    }

    /// What the leader remembers tells from where on to send.
    private func describe() throws {
        while let row = self.rows.first {
            let request = DescribeProducersRequest(topics: [.init(name: "t", partitionIndexes: [0])]
            )
            let found = try self.ask(request).topics.first?.partitions.first?.activeProducers
                .first { $0.producerID == row.identity.id }
            let distance = found.map {
                RecordSequence.distance(from: row.lastSequence, to: $0.lastSequence)
            }
            if distance ?? -1 < 0 { _ = try self.produce(row) }
            self.rows.removeFirst()
        }
    }

    /// Sends what was never sent before under a new producer id.
    private func writeRest() throws {
        let identity = try self.freshIdentity()
        _ = self.write(.max, identity, from: 0)
        for row in self.rows {
            guard case .acknowledged = try self.produce(row) else {
                throw Failure(description: "a new batch was refused")
            }
        }
    }
}
