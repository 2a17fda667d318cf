package import Kafka
package import KafkaProtocol

/// What the position headers of a topic prove.
///
/// The first record of each file's run in a batch says where in the file it comes from. So along a
/// partition each file's runs must begin further and further on: one that begins where another began
/// is a repeat, and one that begins before is out of order, or a repeat in other batches. The
/// sequences of Forktail's producer ids must have no hole. What is missing or repeated within runs
/// shows only against the file itself, see ``FileAudit``.
package struct PositionAudit: Sendable {
    /// Records of one file in a row, in one batch.
    package struct Run: Equatable, Sendable {
        package var start: LinePosition
        package var partition: Int32
        /// The offset in Kafka of its first record.
        package var offset: Int64
        /// Whether it stands for a record that Kafka refused: it comes when that comes back.
        var isAnswer = false
        /// Records with a key, and without.
        package var keyed: Int32 = 0
        package var keyless: Int32 = 0

        package var count: Int64 { Int64(self.keyed) + Int64(self.keyless) }
    }

    package struct Fault: Equatable, Sendable {
        package enum Kind: String, Sendable, CaseIterable {
            case gap, repeated, disorder
        }

        package var kind: Kind
        package var partition: TopicPartition
        package var stream: FileStream?
        /// In a sentence: where, and what was found.
        package var text: String
    }

    /// Faults of which the text is kept; all are counted.
    static let faultLimit = 100

    fileprivate struct Producer {
        var epoch: Int16
        var nextSequence: Int32
        var isOurs: Bool
        /// What had been left out up to there.
        var leftOut: Int64
    }

    fileprivate struct PartitionState {
        /// Behind the latest batch.
        var end: Int64?
        /// Offsets of which there was no batch.
        var leftOut: Int64 = 0
        var producers: [Int64: Producer] = [:]
        /// Where the latest run of each file began.
        var furthest: [FileStream: LinePosition] = [:]
    }

    package private(set) var records: Int64 = 0
    package private(set) var batches: Int64 = 0
    /// Records before which no position stands in their batch.
    package private(set) var unmarked: Int64 = 0
    /// The runs of each file in each partition, in the order of the file.
    private var partitionRuns: [FileStream: [TopicPartition: [Run]]] = [:]
    package private(set) var faults: [Fault] = []
    package private(set) var faultCounts: [Fault.Kind: Int64] = [:]
    /// Partitions of which the beginning is not there any more, or was not read.
    package private(set) var cut: Set<TopicPartition> = []
    private var partitions: [TopicPartition: PartitionState] = [:]

    package init() {}

    package var isClean: Bool { self.faultCounts.isEmpty }

    /// Tells that the first records of a partition are not read.
    package mutating func beginsLate(_ partition: TopicPartition) {
        self.cut.insert(partition)
    }

    /// Takes the next batch of a partition.
    ///
    /// - Throws: `ProtocolError` for a batch that does not read.
    package mutating func read(
        _ batch: RecordBatch,
        isAborted: Bool = false,
        in partition: TopicPartition
    ) throws {
        var state = self.partitions.removeValue(forKey: partition) ?? PartitionState()
        defer { self.partitions[partition] = state }
        state.pass(batch.header)
        guard !batch.header.isControl else { return }
        self.batches += 1
        var current: (stream: FileStream, run: Run)?
        var isMarked = false
        try batch.forEachRecord { record in
            if let mark = Self.mark(of: record) {
                isMarked = true
                if let current { self.add(current.run, of: current.stream, partition, &state) }
                let offset = batch.header.baseOffset + Int64(record.offsetDelta)
                var run = Run(
                    start: mark.position,
                    partition: partition.partition,
                    offset: offset
                )
                run.isAnswer = Self.isAnswer(record)
                current = isAborted ? nil : (mark.stream, run)
            }
            guard !isAborted else { return }
            self.records += 1
            if current == nil {
                self.unmarked += 1
            } else if record.key == nil {
                current?.run.keyless += 1
            } else {
                current?.run.keyed += 1
            }
        }
        if let current { self.add(current.run, of: current.stream, partition, &state) }
        self.checkSequence(of: batch.header, isOurs: isMarked, partition, &state)
    }

    private static func mark(of record: RecordSpan) -> PositionMark? {
        for header in record.headers where header.name.elementsEqual(Self.headerName) {
            guard let value = header.value else { continue }
            return PositionMark(String(decoding: value, as: UTF8.self))
        }
        return nil
    }

    private static func isAnswer(_ record: RecordSpan) -> Bool {
        record.headers.contains { header in
            header.name.elementsEqual(Self.kindName)
                && header.value?.elementsEqual(Self.refusedKind) ?? false
        }
    }

    private static let headerName = Array(PositionMark.headerName.utf8)
    private static let kindName = Array("dlq.kind".utf8)
    private static let refusedKind = Array("kafka".utf8)

    // MARK: Order

    private mutating func add(
        _ run: Run,
        of stream: FileStream,
        _ id: TopicPartition,
        _ state: inout PartitionState
    ) {
        if !run.isAnswer {
            if let before = state.furthest[stream], run.start <= before {
                self.wentBack(run, of: stream, id, from: before)
            } else {
                state.furthest[stream] = run.start
            }
        }
        Self.insert(run, into: &self.partitionRuns[stream, default: [:]][id, default: []])
    }

    private mutating func wentBack(
        _ run: Run,
        of stream: FileStream,
        _ id: TopicPartition,
        from furthest: LinePosition
    ) {
        let known = self.partitionRuns[stream]?[id] ?? []
        let place = Self.place(in: known) { $0.start < run.start }
        if let twin = known[place...].first, twin.start == run.start {
            self.note(
                .repeated,
                id,
                stream,
                "offset \(run.offset): \(run.count) records from \(run.start) on,"
                    + " which are at offset \(twin.offset) already"
            )
        } else {
            self.note(
                .disorder,
                id,
                stream,
                "offset \(run.offset): \(run.count) records from \(run.start) on, behind those"
                    + " from \(furthest) on: out of order, or repeated in another batch"
            )
        }
    }

    private static func insert(_ run: Run, into runs: inout [Run]) {
        guard let last = runs.last, run.start < last.start else { return runs.append(run) }
        runs.insert(run, at: Self.place(in: runs) { $0.start <= run.start })
    }

    private static func place(in runs: [Run], where isBefore: (Run) -> Bool) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(runs[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Sequences

    private mutating func checkSequence(
        of header: RecordBatchHeader,
        isOurs: Bool,
        _ id: TopicPartition,
        _ state: inout PartitionState
    ) {
        guard header.hasProducerID, header.baseSequence >= 0 else { return }
        let known = state.producers[header.producerID]
        let next = RecordSequence.advance(header.lastSequence, by: 1)
        let isOurs = isOurs || known?.isOurs ?? false
        state.producers[header.producerID] = Producer(
            epoch: header.producerEpoch,
            nextSequence: next,
            isOurs: isOurs,
            leftOut: state.leftOut
        )
        guard let known, isOurs, known.epoch == header.producerEpoch,
            known.nextSequence != header.baseSequence
        else { return }
        let missing = RecordSequence.distance(from: known.nextSequence, to: header.baseSequence)
        let last = RecordSequence.advance(header.baseSequence, by: -1)
        let producer = "producer id \(header.producerID), epoch \(header.producerEpoch)"
        if missing > 0 {
            // Some brokers leave out what was aborted; what never came left no offsets behind.
            let isAborted = header.isTransactional && state.leftOut - known.leftOut >= missing
            guard !isAborted else { return }
            self.note(
                .gap,
                id,
                nil,
                "offset \(header.baseOffset): \(missing) records of \(producer) are missing:"
                    + " sequences \(known.nextSequence) to \(last)"
            )
        } else {
            self.note(
                .repeated,
                id,
                nil,
                "offset \(header.baseOffset): sequence \(header.baseSequence) of \(producer)"
                    + " comes again"
            )
        }
    }

    // MARK: Faults

    package mutating func note(
        _ kind: Fault.Kind,
        _ partition: TopicPartition,
        _ stream: FileStream?,
        _ text: String,
        count: Int64 = 1
    ) {
        self.faultCounts[kind, default: 0] += count
        guard self.faults.count < Self.faultLimit else { return }
        self.faults.append(Fault(kind: kind, partition: partition, stream: stream, text: text))
    }

    // MARK: Files

    /// The files of which there are records.
    package var streams: [FileStream] { self.partitionRuns.keys.sorted() }

    /// The runs of a file in each topic, in the order of the file.
    package func runs(of stream: FileStream) -> [String: [Run]] {
        var topics: [String: [Run]] = [:]
        for (id, runs) in self.partitionRuns[stream] ?? [:] {
            topics[id.topic, default: []].append(contentsOf: runs)
        }
        for topic in topics.keys {
            topics[topic]?.sort { ($0.start, $0.partition) < ($1.start, $1.partition) }
        }
        return topics
    }

    /// Finds runs that are in two partitions of a topic; to be called when all is read.
    package mutating func compareTopics() {
        for stream in self.streams {
            for (topic, runs) in self.runs(of: stream).sorted(by: { $0.key < $1.key }) {
                for (first, second) in zip(runs, runs.dropFirst())
                where !second.isAnswer && first.start == second.start
                    && first.partition != second.partition
                {
                    self.note(
                        .repeated,
                        TopicPartition(topic: topic, partition: second.partition),
                        stream,
                        "offset \(second.offset): \(second.count) records from \(second.start) on,"
                            + " which are in partition \(first.partition) at offset \(first.offset)"
                            + " as well"
                    )
                }
            }
        }
    }
}

extension PositionAudit.PartitionState {
    fileprivate mutating func pass(_ header: RecordBatchHeader) {
        self.leftOut += max(0, header.baseOffset - (self.end ?? header.baseOffset))
        self.end = header.baseOffset + Int64(header.lastOffsetDelta) + 1
    }
}
