internal import KafkaProtocol

/// What a partition remembers of the producer ids that wrote to it.
///
/// Only epoch and sequences are compared, never bytes, as Kafka does.
struct ProducerStates: Sendable {
    /// Kafka remembers the last five batches for each producer id.
    static let batchLimit = 5

    struct Batch: Sendable, Equatable {
        var baseSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
        /// That of its newest record, in milliseconds.
        var timestamp: Int64
    }

    struct State: Sendable, Equatable {
        var epoch: Int16
        /// None after a marker has raised the epoch: the next batch then begins at 0.
        var batches: [Batch] = []
        /// The timestamp of the newest batch, in milliseconds, by which the state expires.
        var lastTimestamp: Int64
        /// That of the coordinator that wrote the last marker; -1 before there is one.
        var coordinatorEpoch: Int32 = -1
        /// Where the open transaction began in this partition.
        var transactionStart: Int64?
    }

    enum Verdict: Equatable {
        case inSequence
        /// It is in the log already.
        case duplicate(Batch)
        case refused(KafkaError)
    }

    private(set) var states: [Int64: State] = [:]

    /// Whether the producer has a transaction open here, under this epoch.
    func hasOpenTransaction(_ producerID: Int64, epoch: Int16) -> Bool {
        guard let state = self.states[producerID] else { return false }
        return state.epoch == epoch && state.transactionStart != nil
    }

    /// Where the oldest open transaction began; nothing from there on is stable.
    var firstUnstableOffset: Int64? {
        self.states.values.compactMap(\.transactionStart).min()
    }

    func check(_ header: RecordBatchHeader) -> Verdict {
        // A producer id that is not known here may begin with any sequence.
        guard header.hasProducerID, let state = self.states[header.producerID] else {
            return .inSequence
        }
        guard header.producerEpoch >= state.epoch else { return .refused(.invalidProducerEpoch) }
        let verdict = self.checkSequence(header, state)
        let interrupts = state.transactionStart != nil && !header.isTransactional
        return verdict == .inSequence && interrupts ? .refused(.invalidTxnState) : verdict
    }

    private func checkSequence(_ header: RecordBatchHeader, _ state: State) -> Verdict {
        guard header.producerEpoch == state.epoch, let last = state.batches.last else {
            return header.baseSequence == 0 ? .inSequence : .refused(.outOfOrderSequenceNumber)
        }
        let known = state.batches.first { batch in
            batch.baseSequence == header.baseSequence && batch.lastSequence == header.lastSequence
        }
        if let known { return .duplicate(known) }
        let isNext = RecordSequence.advance(last.lastSequence, by: 1) == header.baseSequence
        return isNext ? .inSequence : .refused(.outOfOrderSequenceNumber)
    }

    mutating func appended(_ header: RecordBatchHeader, atOffset offset: Int64) {
        guard header.hasProducerID else { return }
        let batch = Batch(
            baseSequence: header.baseSequence,
            lastSequence: header.lastSequence,
            baseOffset: offset,
            timestamp: header.maxTimestamp
        )
        var state = self.state(of: header.producerID, epoch: header.producerEpoch)
        state.batches.append(batch)
        if state.batches.count > Self.batchLimit { state.batches.removeFirst() }
        state.lastTimestamp = header.maxTimestamp
        if header.isTransactional && state.transactionStart == nil {
            state.transactionStart = offset
        }
        self.states[header.producerID] = state
    }

    /// Ends the producer's transaction; returns where it began, if it wrote anything here.
    mutating func ended(_ marker: RecordBatchHeader) -> Int64? {
        var state = self.state(of: marker.producerID, epoch: marker.producerEpoch)
        let start = state.transactionStart
        state.transactionStart = nil
        state.coordinatorEpoch = 0
        state.lastTimestamp = marker.maxTimestamp
        self.states[marker.producerID] = state
        return start
    }

    /// The producer's state; a new epoch begins without batches.
    private func state(of producerID: Int64, epoch: Int16) -> State {
        let fresh = State(epoch: epoch, lastTimestamp: -1)
        guard var state = self.states[producerID] else { return fresh }
        if state.epoch != epoch {
            state.epoch = epoch
            state.batches = []
        }
        return state
    }

    mutating func restore(_ state: State, of producerID: Int64) {
        self.states[producerID] = state
    }

    /// Forgets who wrote nothing since `timestamp`, unless a transaction is open.
    mutating func expire(before timestamp: Int64) {
        self.states = self.states.filter { _, state in
            state.transactionStart != nil || state.lastTimestamp > timestamp
        }
    }

    mutating func forget(keepingLastBatch: Bool) {
        guard keepingLastBatch else { return self.states = [:] }
        self.states = self.states.mapValues { state in
            var state = state
            state.batches = state.batches.suffix(1)
            return state
        }
    }
}
