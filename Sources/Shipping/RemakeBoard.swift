internal import Checkpointing
internal import Kafka
internal import Logging
internal import Synchronization

/// A record that was made once more of its line, with bytes of its own.
struct MadeRecord: Sendable {
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [(name: [UInt8], value: [UInt8]?)]
    /// Milliseconds since 1970.
    var timestamp: Int64
    var place: RecordPlace
    /// What stands before the place in the record's position header.
    var prefix: [UInt8]
    /// Whether it stands for a record that Kafka refused.
    var isAnswer = false
    /// Whether it is the first of its stretch.
    var beginsStretch = false
}

/// Bytes of one file that keep their places.
struct FileBytes: Hashable, Sendable {
    let file: Int64
    let generation: Int64

    init(file: Int64, generation: Int64) {
        self.file = file
        self.generation = generation
    }

    init(_ stretch: Stretch) {
        self.init(file: stretch.file, generation: stretch.generation)
    }

    init(_ row: FileCheckpoint) {
        self.init(file: row.id, generation: row.generation)
    }
}

/// Who finds out what became of batches, and sends those again that have to be.
protocol BatchRecovering: Sendable {
    /// Hands over a batch that was made again, under the numbers of its row.
    func remade(_ batch: ProducerBatch, row: Int64)
    /// Its records are not all there any more: it cannot be sent.
    func cannotRemake(row: Int64)
}

/// What a crash left open: which batches were on their way, and which records are in them.
///
/// The lanes read the files of such batches once from their checkpoints without sending anything,
/// and leave the records here that are owed to them. A batch of which all are there can be sent
/// again under its old numbers, should Kafka not have it. When it is known of every batch of a file
/// whether it is in the log, the file's reading begins, and passes over what is delivered.
///
/// Used at the start only; any thread may call.
final class RemakeBoard: Sendable {
    private enum Fate {
        case unresolved, delivered
        /// It is not in the log, and its records are new.
        case forgotten
    }

    private struct Row {
        var batch: JournaledBatch
        var fate: Fate
        /// Files that may still bring records.
        var missing: Set<FileBytes> = []
        /// Files of which only the next rehearsal brings records.
        var awaited: Set<FileBytes> = []
        var isIncomplete = false
        var isHandedOver = false
        var records: [FileBytes: [MadeRecord]] = [:]

        var recordCount: Int { records.values.reduce(0) { $0 + $1.count } }

        var topicPartition: TopicPartition {
            TopicPartition(topic: batch.topic, partition: batch.partition)
        }
    }

    /// A bare closure that is kept in a generic type is wrapped anew each time it is taken out.
    private struct Waiter {
        let notify: @Sendable () -> Void
    }

    private struct State {
        var rows: [Int64: Row] = [:]
        /// The rows of each file, the oldest first.
        var rowsOfFiles: [FileBytes: [Int64]] = [:]
        /// Files that a lane reads.
        var claimed: Set<FileBytes> = []
        /// Partitions of which something is found out.
        var recovering: Set<TopicPartition>
        /// Whether Kafka may have batches of any file that are not known yet.
        var looksEverywhere: Bool
        /// Files that have to be read once more before their reading begins.
        var demanded: Set<FileBytes> = []
        /// Files of which something is being written down.
        var completing: Set<FileBytes> = []
        /// Files that cannot be read, and why.
        var unavailable: [FileBytes: String] = [:]
        /// Where files end that end before something that was sent of them.
        var ends: [FileBytes: RecordPlace] = [:]
        var isComplete = false
        var waiters: [FileBytes: [Waiter]] = [:]
        var summary = RecoverySummary()
    }

    private let state: Mutex<State>
    private let texts: [Int64: LoadedPipeline]
    private let remake: @Sendable (JournaledBatch, [MadeRecord]) -> ProducerBatch?
    private let logger: Logger
    private let recovery: any BatchRecovering
    private let post: @Sendable (JournalMessage) -> Void

    /// - Parameter batches: all that hold something beyond a checkpoint.
    /// - Parameter texts: by their versions, the pipelines that batches were made by.
    /// - Parameter recovering: partitions of which something is found out.
    /// - Parameter looksEverywhere: whether there may be batches of any file that are not known yet.
    /// - Parameter post: tells the journal.
    /// - Parameter remake: makes a batch of a row's own bytes, or of records.
    init(
        _ batches: [JournaledBatch],
        texts: [Int64: LoadedPipeline],
        recovering: Set<TopicPartition>,
        looksEverywhere: Bool,
        recovery: any BatchRecovering,
        post: @escaping @Sendable (JournalMessage) -> Void,
        logger: Logger,
        remake: @escaping @Sendable (JournaledBatch, [MadeRecord]) -> ProducerBatch?
    ) {
        var first = State(recovering: recovering, looksEverywhere: looksEverywhere)
        for batch in batches {
            var row = Row(batch: batch, fate: batch.isSettled ? .delivered : .unresolved)
            let files = Set(batch.stretches.map { FileBytes($0) })
            for file in files { first.rowsOfFiles[file, default: []].append(batch.id) }
            if !batch.isSettled, batch.bytes == nil { row.missing = files }
            first.rows[batch.id] = row
        }
        state = Mutex(first)
        self.texts = texts
        self.remake = remake
        self.recovery = recovery
        self.post = post
        self.logger = logger
    }

    /// The pipeline of an earlier text; nil if that does not load any more.
    func pipeline(version: Int64) -> LoadedPipeline? { texts[version] }

    /// What lies beyond a file's checkpoint; nil if nothing does.
    func coverage(of row: FileCheckpoint) -> FileCoverage? {
        let batches = state.withLock { state in
            (state.rowsOfFiles[FileBytes(row)] ?? []).compactMap { id -> JournaledBatch? in
                guard let row = state.rows[id], row.fate != .forgotten else { return nil }
                var batch = row.batch
                batch.bytes = nil
                if row.fate == .unresolved { batch.state = .inFlight }
                if row.fate == .delivered, !batch.isSettled {
                    batch.state = .settled(baseOffset: -1)
                }
                return batch
            }
        }
        guard !batches.isEmpty else { return nil }
        return FileCoverage(
            file: row.id,
            generation: row.generation,
            checkpoint: row.checkpoint,
            batches: batches
        )
    }

    // MARK: What lanes and watcher tell

    /// A lane will read this file.
    func claim(_ file: FileBytes) {
        state.withLock { state in
            if state.rowsOfFiles[file] != nil { state.claimed.insert(file) }
        }
    }

    /// Every file that is there has a lane: no other will bring records.
    func claimedAll() {
        let left = state.withLock { state -> [FileBytes] in
            guard !state.isComplete else { return [] }
            state.isComplete = true
            return state.rowsOfFiles.keys.filter { !state.claimed.contains($0) }
        }
        for file in left { unavailable(file, because: "no pipeline that runs leads to it") }
        // Rows with bytes of their own wait for nobody.
        perform(state.withLock { state in orders(of: Array(state.rows.keys), in: &state) })
    }

    /// A record of a row was made again.
    func add(_ record: MadeRecord, of file: FileBytes, to row: Int64) {
        state.withLock { state in
            guard let found = state.rows[row], found.batch.bytes == nil,
                found.missing.contains(file), !found.awaited.contains(file)
            else { return }
            var record = record
            record.beginsStretch = found.batch.stretches.contains {
                FileBytes($0) == file && $0.from == record.place
            }
            state.rows[row]?.records[file, default: []].append(record)
        }
    }

    /// When a row was closed, in milliseconds since 1970.
    func creationTime(of row: Int64) -> Int64? {
        state.withLock { $0.rows[row]?.batch.createdAt }
    }

    /// All records of a file were made again, or those before its end.
    func gathered(_ file: FileBytes, upTo end: RecordPlace? = nil) {
        perform(
            state.withLock { state in
                state.ends[file] = end
                let ids = (state.rowsOfFiles[file] ?? []).filter {
                    state.rows[$0]?.awaited.contains(file) == false
                }
                for id in ids { state.rows[id]?.missing.remove(file) }
                return orders(of: ids, in: &state)
            }
        )
    }

    /// The records of a file cannot be made again.
    func unavailable(_ file: FileBytes, because cause: String) {
        perform(
            state.withLock { state in
                let ids = state.rowsOfFiles[file] ?? []
                state.unavailable[file] = state.unavailable[file] ?? cause
                dropCounted(of: file, in: &state)
                for id in ids where state.rows[id]?.missing.remove(file) != nil {
                    state.rows[id]?.isIncomplete = true
                }
                return orders(of: ids, in: &state)
            }
        )
    }

    /// What is next for a file that is not being rehearsed.
    enum Step {
        case read
        /// Something of it is not known yet: `notify` is called when that may have changed.
        case wait
        /// It has to be read once more without sending.
        case rehearse
    }

    func nextStep(for file: FileBytes, _ notify: @escaping @Sendable () -> Void) -> Step {
        state.withLock { state in
            if state.demanded.remove(file) != nil {
                for id in state.rowsOfFiles[file] ?? [] { state.rows[id]?.awaited.remove(file) }
                return .rehearse
            }
            guard isInDoubt(file, in: state) else { return .read }
            state.waiters[file, default: []].append(Waiter(notify: notify))
            return .wait
        }
    }

    private func isInDoubt(_ file: FileBytes, in state: State) -> Bool {
        state.looksEverywhere || state.completing.contains(file)
            || (state.rowsOfFiles[file] ?? []).contains { id in
                guard let row = state.rows[id] else { return false }
                // What was settled may turn out to be lost until its partition is recovered.
                return row.fate == .unresolved || state.recovering.contains(row.topicPartition)
            }
    }

    private func wake(_ files: [FileBytes], in state: inout State) -> [Waiter] {
        files.flatMap { state.waiters.removeValue(forKey: $0) ?? [] }
    }

    // MARK: What the producer tells

    /// A row's batch is in the log, or certainly not and will never be.
    func resolved(_ id: Int64, isAppended: Bool) {
        let waiters = state.withLock { state -> [Waiter] in
            guard let row = state.rows[id], row.fate == .unresolved else { return [] }
            state.rows[id]?.fate = isAppended ? .delivered : .forgotten
            note(row, isAppended: isAppended, in: &state)
            state.rows[id]?.records = [:]
            state.rows[id]?.batch.bytes = nil
            let files = Set(row.batch.stretches.map { FileBytes($0) })
            return wake(files.filter { !isInDoubt($0, in: state) }, in: &state)
        }
        for waiter in waiters { waiter.notify() }
    }

    /// Kafka may have lost a batch that was settled: its files are read once more, so that it can be
    /// sent again.
    func unsettled(_ id: Int64) {
        let (waiters, gone) = state.withLock { state -> ([Waiter], [FileBytes]) in
            guard var row = state.rows[id], row.fate == .delivered else { return ([], []) }
            let files = Set(row.batch.stretches.map { FileBytes($0) })
            row.fate = .unresolved
            row.missing = files
            row.awaited = files
            row.isHandedOver = false
            state.rows[id] = row
            state.demanded.formUnion(files)
            let gone = files.filter {
                state.unavailable[$0] != nil || state.isComplete && !state.claimed.contains($0)
            }
            return (wake(Array(files), in: &state), Array(gone))
        }
        for waiter in waiters { waiter.notify() }
        for file in gone { unavailable(file, because: "it is not there any more") }
    }

    /// Nothing of a partition is in doubt any more.
    func recovered(_ partition: TopicPartition) {
        let waiters = state.withLock { state -> [Waiter] in
            state.recovering.remove(partition)
            let free = state.waiters.keys.filter { !isInDoubt($0, in: state) }
            return wake(free, in: &state)
        }
        for waiter in waiters { waiter.notify() }
    }

    /// A batch is in the log that the journal had lost.
    func found(_ batch: JournaledBatch) {
        state.withLock { state in
            state.rows[batch.id] = Row(batch: batch, fate: .delivered)
            for file in Set(batch.stretches.map({ FileBytes($0) })) {
                state.rowsOfFiles[file, default: []].append(batch.id)
            }
        }
    }

    /// All that there is was found: files go on, if need be with another rehearsal.
    func recoveredAll() {
        let waiters = state.withLock { state -> [Waiter] in
            guard state.looksEverywhere else { return [] }
            state.looksEverywhere = false
            let counted = state.rows.values.flatMap(\.batch.stretches).filter(\.isCounted)
            state.demanded.formUnion(counted.map { FileBytes($0) })
            return wake(Array(state.waiters.keys), in: &state)
        }
        for waiter in waiters { waiter.notify() }
    }

    /// It turned out where stretches of a file end: its reading begins once that is durable.
    func completed(
        _ stretches: [(batch: Int64, stretch: Stretch, parts: [Stretch])],
        of file: FileBytes
    ) {
        let rows = state.withLock { state -> [JournaledBatch] in
            for (id, stretch, parts) in stretches {
                guard let index = state.rows[id]?.batch.stretches.firstIndex(of: stretch) else {
                    continue
                }
                state.rows[id]?.batch.stretches.replaceSubrange(index...index, with: parts)
            }
            if !stretches.isEmpty { state.completing.insert(file) }
            return Set(stretches.map(\.batch)).compactMap { state.rows[$0]?.batch }
        }
        guard !rows.isEmpty else { return }
        post(.completed(rows) { [self] in wasCompleted(file) })
    }

    private func wasCompleted(_ file: FileBytes) {
        let waiters = state.withLock { state -> [Waiter] in
            state.completing.remove(file)
            return isInDoubt(file, in: state) ? [] : wake([file], in: &state)
        }
        for waiter in waiters { waiter.notify() }
    }

    /// Nobody can tell any more where a file's stretches end, for it is not what it was.
    private func dropCounted(of file: FileBytes, in state: inout State) {
        for id in state.rowsOfFiles[file] ?? [] {
            state.rows[id]?.batch.stretches.removeAll {
                $0.isCounted && FileBytes($0) == file
            }
        }
    }

    /// What was found so far.
    var summary: RecoverySummary { state.withLock { $0.summary } }

    private func note(_ row: Row, isAppended: Bool, in state: inout State) {
        state.summary.resolved += 1
        guard !isAppended else { return }
        for stretch in row.batch.stretches {
            let file = FileBytes(stretch)
            if let cause = state.unavailable[file] {
                noteLoss(of: stretch.count, of: stretch, in: row, because: cause, &state.summary)
            } else if let end = state.ends[file], end <= stretch.through {
                let left = row.records[file, default: []].count { $0.place >= stretch.from }
                let count = stretch.count - Int32(left)
                noteLoss(of: count, of: stretch, in: row, because: "it ends before", &state.summary)
            }
        }
    }

    private func noteLoss(
        of count: Int32,
        of stretch: Stretch,
        in row: Row,
        because cause: String,
        _ summary: inout RecoverySummary
    ) {
        summary.unavailableRecords += Int64(count)
        logger.error(
            "records that were on their way are not in Kafka, and their file cannot be read",
            metadata: [
                "event": "recovery.unavailable", "topic": "\(row.batch.topic)",
                "partition": "\(row.batch.partition)", "file_id": "\(stretch.file)",
                "from": "\(stretch.from)", "through": "\(stretch.through)",
                "count": "\(count)", "cause": "\(cause)",
            ]
        )
    }

    // MARK: Handing over

    private enum Order {
        case remade(JournaledBatch, [MadeRecord])
        case cannotRemake(Int64)
    }

    /// What follows for rows that wait for no file any more, each once.
    private func orders(of ids: [Int64], in state: inout State) -> [Order] {
        var orders: [Order] = []
        for id in ids {
            guard var row = state.rows[id], row.fate == .unresolved, !row.isHandedOver,
                row.missing.isEmpty
            else { continue }
            row.isHandedOver = true
            state.rows[id] = row
            if row.batch.bytes == nil, row.isIncomplete || row.recordCount != row.batch.recordCount
            {
                orders.append(.cannotRemake(id))
            } else {
                let files = row.records.sorted { $0.key.file < $1.key.file }
                orders.append(.remade(row.batch, files.flatMap(\.value)))
            }
        }
        return orders
    }

    private func perform(_ orders: [Order]) {
        for order in orders {
            switch order {
            case .cannotRemake(let id): recovery.cannotRemake(row: id)
            case .remade(let row, let records):
                if let batch = remake(row, records) {
                    recovery.remade(batch, row: row.id)
                } else {
                    recovery.cannotRemake(row: row.id)
                }
            }
        }
    }
}

/// What the recovery of a start has come to.
struct RecoverySummary: Sendable, Equatable {
    /// Batches of which it is known whether Kafka has them.
    var resolved = 0
    /// Records that are in neither Kafka nor a file that can be read.
    var unavailableRecords: Int64 = 0
}
