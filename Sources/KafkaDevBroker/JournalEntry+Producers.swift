internal import KafkaProtocol

/// What a partition remembers of a producer.
struct ProducerEntry: MessageStructure {
    var producerID: Int64
    var state: ProducerStates.State

    init(producerID: Int64, state: ProducerStates.State) {
        self.producerID = producerID
        self.state = state
    }

    init(from reader: inout MessageReader, version: Int16) throws {
        self.producerID = try reader.readInteger()
        self.state = .init(epoch: try reader.readInteger(), lastTimestamp: -1)
        self.state.lastTimestamp = try reader.readInteger()
        self.state.coordinatorEpoch = try reader.readInteger()
        let start: Int64 = try reader.readInteger()
        self.state.transactionStart = start < 0 ? nil : start
        self.state.batches = try reader.readArray(version: version)
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.state.epoch)
        writer.writeInteger(self.state.lastTimestamp)
        writer.writeInteger(self.state.coordinatorEpoch)
        writer.writeInteger(self.state.transactionStart ?? -1)
        try writer.writeArray(self.state.batches, version: version)
    }
}

extension ProducerStates.Batch: MessageStructure {
    init(from reader: inout MessageReader, version: Int16) throws {
        self.baseSequence = try reader.readInteger()
        self.lastSequence = try reader.readInteger()
        self.baseOffset = try reader.readInteger()
        self.timestamp = try reader.readInteger()
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.baseSequence)
        writer.writeInteger(self.lastSequence)
        writer.writeInteger(self.baseOffset)
        writer.writeInteger(self.timestamp)
    }
}

extension PartitionLog.AbortedTransaction: MessageStructure {
    init(from reader: inout MessageReader, version: Int16) throws {
        self.producerID = try reader.readInteger()
        self.firstOffset = try reader.readInteger()
        self.lastOffset = try reader.readInteger()
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        writer.writeInteger(self.producerID)
        writer.writeInteger(self.firstOffset)
        writer.writeInteger(self.lastOffset)
    }
}

/// What the coordinator knows of a transactional id; its moments as times of day, in milliseconds.
struct TransactionEntry: MessageStructure {
    var id: String
    var transaction: Transaction
    var startedAt: Int64
    var updatedAt: Int64

    /// The transaction's own moments are set by who reads it.
    init(from reader: inout MessageReader, version: Int16) throws {
        self.id = try reader.readString()
        self.transaction = Transaction(
            producerID: try reader.readInteger(),
            timeout: .zero
        )
        self.startedAt = 0
        self.updatedAt = 0
        try self.readIdentities(from: &reader)
        try self.readState(from: &reader, version: version)
    }

    init(id: String, transaction: Transaction, startedAt: Int64, updatedAt: Int64) {
        self.id = id
        self.transaction = transaction
        self.startedAt = startedAt
        self.updatedAt = updatedAt
    }

    private mutating func readIdentities(from reader: inout MessageReader) throws {
        self.transaction.epoch = try reader.readInteger()
        self.transaction.lastProducerID = try reader.readInteger()
        self.transaction.lastEpoch = try reader.readInteger()
        let next: Int64 = try reader.readInteger()
        self.transaction.nextProducerID = next < 0 ? nil : next
    }

    private mutating func readState(from reader: inout MessageReader, version: Int16) throws {
        let timeout: Int64 = try reader.readInteger()
        self.transaction.timeout = .milliseconds(timeout)
        guard let state = Transaction.State(rawValue: try reader.readString()) else {
            throw ProtocolError.notExpressible(field: "state", version: version)
        }
        self.transaction.state = state
        self.transaction.raisesEpoch = try reader.readBool()
        self.transaction.partitions = Set(
            try reader.readArray(of: TopicPartition.self, version: version)
        )
        self.startedAt = try reader.readInteger()
        self.updatedAt = try reader.readInteger()
    }

    func write(to writer: inout MessageWriter, version: Int16) throws {
        try writer.writeString(self.id)
        writer.writeInteger(self.transaction.producerID)
        writer.writeInteger(self.transaction.epoch)
        writer.writeInteger(self.transaction.lastProducerID)
        writer.writeInteger(self.transaction.lastEpoch)
        writer.writeInteger(self.transaction.nextProducerID ?? -1)
        writer.writeInteger(Int64(self.transaction.timeout / .milliseconds(1)))
        try writer.writeString(self.transaction.state.rawValue)
        writer.writeBool(self.transaction.raisesEpoch)
        let partitions = self.transaction.partitions.sorted {
            ($0.topic, $0.partition) < ($1.topic, $1.partition)
        }
        try writer.writeArray(partitions, version: version)
        writer.writeInteger(self.startedAt)
        writer.writeInteger(self.updatedAt)
    }
}
