internal import KafkaProtocol

/// What a partition remembers of the producer ids that wrote to it.
///
/// Only epoch and sequences are compared, never bytes, as Kafka does.
struct ProducerStates: Sendable {
    /// Kafka remembers the last five batches for each producer id.
    static let batchLimit = 5

    struct Batch: Sendable {
        var baseSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
    }

    struct State: Sendable {
        var epoch: Int16
        var batches: [Batch]
    }

    enum Verdict: Equatable {
        case inSequence
        /// It is in the log at this offset.
        case duplicate(Int64)
        case refused(KafkaError)
    }

    private var states: [Int64: State] = [:]

    func check(_ header: RecordBatchHeader) -> Verdict {
        // A producer id that is not known here may begin with any sequence.
        guard header.hasProducerID, let state = self.states[header.producerID] else {
            return .inSequence
        }
        guard header.producerEpoch >= state.epoch else { return .refused(.invalidProducerEpoch) }
        guard header.producerEpoch == state.epoch else {
            return header.baseSequence == 0 ? .inSequence : .refused(.outOfOrderSequenceNumber)
        }
        let known = state.batches.first { batch in
            batch.baseSequence == header.baseSequence && batch.lastSequence == header.lastSequence
        }
        if let known { return .duplicate(known.baseOffset) }
        guard let last = state.batches.last else { return .inSequence }
        let isNext = RecordSequence.advance(last.lastSequence, by: 1) == header.baseSequence
        return isNext ? .inSequence : .refused(.outOfOrderSequenceNumber)
    }

    mutating func appended(_ header: RecordBatchHeader, atOffset offset: Int64) {
        guard header.hasProducerID else { return }
        let batch = Batch(
            baseSequence: header.baseSequence,
            lastSequence: header.lastSequence,
            baseOffset: offset
        )
        var state =
            self.states[header.producerID] ?? State(epoch: header.producerEpoch, batches: [])
        if state.epoch != header.producerEpoch {
            state = State(epoch: header.producerEpoch, batches: [])
        }
        state.batches.append(batch)
        if state.batches.count > Self.batchLimit { state.batches.removeFirst() }
        self.states[header.producerID] = state
    }

    mutating func forget(keepingLastBatch: Bool) {
        guard keepingLastBatch else { return self.states = [:] }
        self.states = self.states.mapValues { state in
            State(epoch: state.epoch, batches: state.batches.suffix(1))
        }
    }
}
