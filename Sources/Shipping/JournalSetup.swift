internal import Checkpointing
internal import Kafka
internal import KafkaProtocol
internal import Logging
internal import PipelineLanguage

/// What a start takes from the journal.
struct JournalSetup {
    let store: any JournalKeeping
    /// What an earlier life left, as far as the checkpoints have not passed it.
    let journal: Journal
    let registry = SourceRegistry()
    /// For each pipeline, the number of its text of today.
    let versions: [Int64]
    /// Pipelines of earlier texts that batches name, as far as they load.
    let earlier: [Int64: LoadedPipeline]
    let books: JournalBooks
    /// Whether Kafka may have batches that the journal has lost.
    let isBehind: Bool
    /// Makes rows of these.
    let unjournaled: UnjournaledRows

    /// - Parameter files: the checkpoints of all files.
    /// - Parameter owner: who the position headers of earlier lives name.
    /// - Parameter isBehind: whether Kafka may have batches that the journal has lost.
    init(
        _ store: any JournalKeeping,
        files: [FileCheckpoint],
        pipelines: [LoadedPipeline],
        owner: OwnerID,
        isBehind: Bool
    ) throws(CheckpointError) {
        self.store = store
        self.isBehind = isBehind
        var journal = try store.journal()
        journal.settleBegun(files)
        var books = JournalBooks(journal, files: files)
        versions = pipelines.map { pipeline in
            books.version(of: pipeline.name, path: pipeline.path, text: pipeline.journaledText)
        }
        earlier = Self.earlier(in: journal, besides: versions, all: isBehind, pipelines.first)
        unjournaled = UnjournaledRows(
            owner: owner,
            journal,
            files: files,
            today: Dictionary(zip(pipelines.map(\.name), versions)) { first, _ in first }
        )
        self.journal = journal
        self.books = books
    }

    private static func earlier(
        in journal: Journal,
        besides versions: [Int64],
        all: Bool,
        _ today: LoadedPipeline?
    ) -> [Int64: LoadedPipeline] {
        let named = Set(journal.batches.flatMap(\.stretches).map(\.pipelineVersion))
        var pipelines: [Int64: LoadedPipeline] = [:]
        for text in journal.texts where all || named.contains(text.version) {
            if versions.contains(text.version) { continue }
            pipelines[text.version] = PipelineLoader.pipeline(text, today: today)
        }
        return pipelines
    }

    /// The number of the last row that there was.
    var lastID: Int64 { journal.batches.map(\.id).max() ?? 0 }

    /// Batches of which nobody knows whether they are in the log, in the order of their numbers.
    var open: [JournaledBatch] { journal.batches.filter { !$0.isSettled } }

    /// Partitions of which something has to be found out.
    var partitionsInDoubt: Set<TopicPartition> {
        let open = open.map { TopicPartition(topic: $0.topic, partition: $0.partition) }
        guard isBehind else { return Set(open) }
        let known = journal.partitions.map {
            TopicPartition(topic: $0.topic, partition: $0.partition)
        }
        return Set(open + known)
    }
}

extension Journal {
    /// A checkpoint behind some record of a batch says that all of it was acknowledged, though its
    /// row does not say so yet.
    fileprivate mutating func settleBegun(_ files: [FileCheckpoint]) {
        let places = Dictionary(files.map { ($0.id, $0) }) { first, _ in first }
        for index in batches.indices where !batches[index].isSettled {
            let isBegun = batches[index].stretches.contains { stretch in
                // Places of a later generation are of other bytes, and prove nothing.
                guard let file = places[stretch.file], file.generation == stretch.generation
                else { return false }
                return stretch.from.offset < file.checkpoint.offset
            }
            if isBegun { batches[index].state = .settled(baseOffset: -1) }
        }
    }
}

extension LaneSurroundings {
    /// Has what is sent journaled, and goes by what the journal says of an earlier life.
    mutating func join(
        _ journal: JournalSetup,
        recovery: any BatchRecovering,
        post: @escaping @Sendable (JournalMessage) -> Void,
        remake: @escaping @Sendable (JournaledBatch, [MadeRecord]) -> ProducerBatch?
    ) {
        versions = journal.versions
        registry = journal.registry
        board = RemakeBoard(
            journal.journal.batches,
            texts: journal.earlier,
            recovering: journal.partitionsInDoubt,
            looksEverywhere: journal.isBehind,
            recovery: recovery,
            post: post,
            logger: logger,
            remake: remake
        )
    }
}

extension JournaledBatch {
    /// The batch once more, of its own bytes or of records that were made again.
    func remade(
        of records: [MadeRecord],
        _ configuration: KafkaProducerConfiguration,
        now: ContinuousClock.Instant
    ) -> ProducerBatch? {
        var batch = RemadeBatch(topic: topic, partition: partition)
        if let bytes {
            guard let kept = RemadeBatch(bytes, topic: topic, partition: partition) else {
                return nil
            }
            batch = kept
        }
        var isBehindAnswer = false
        for record in records {
            // A stretch of others goes on behind an answer, but nobody can count on from there.
            record.append(to: &batch, beginsRun: record.beginsStretch || isBehindAnswer)
            isBehindAnswer = record.isAnswer
        }
        return try? batch.seal(configuration, now: now)
    }
}

extension MadeRecord {
    fileprivate func append(to batch: inout RemadeBatch, beginsRun: Bool) {
        withBytes(key) { key in
            withBytes(value) { value in
                withSpans { headers in
                    prefix.withUnsafeBytes { prefix in
                        let header =
                            prefix.isEmpty ? nil : PositionHeader(source: source, prefix: prefix)
                        batch.append(
                            key: key,
                            value: value,
                            headers: headers,
                            timestamp: timestamp,
                            origin: RecordOrigin(
                                owner: 0,
                                position: place.position,
                                header: header
                            ),
                            beginsRun: beginsRun
                        )
                    }
                }
            }
        }
    }

    private var source: UInt64 {
        prefix.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    private func withBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Void) {
        guard let bytes else { return body(nil) }
        bytes.withUnsafeBytes { body($0) }
    }

    private func withSpans(_ body: (UnsafeBufferPointer<RecordHeaderSpan>) -> Void) {
        let bytes = headers.flatMap { $0.name + ($0.value ?? []) }
        bytes.withUnsafeBytes { bytes in
            var start = 0
            func next(_ count: Int) -> UnsafeRawBufferPointer {
                defer { start += count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
            }
            let spans = headers.map { header in
                let name = next(header.name.count)
                return RecordHeaderSpan(name: name, value: header.value.map { next($0.count) })
            }
            spans.withUnsafeBufferPointer(body)
        }
    }
}
