import Checkpointing

/// Checkpoints in memory that outlive the processes of a simulation.
///
/// One thread at a time uses it.
final class SimulatedCheckpoints: CheckpointKeeping, @unchecked Sendable {
    struct Content {
        fileprivate(set) var rows: [Int64: FileCheckpoint] = [:]
        fileprivate(set) var counters: [CounterName: Int64] = [:]
        fileprivate var lastID: Int64 = 0
        /// Where the reading of each file began.
        fileprivate(set) var firstOffsets: [Int64: Int64] = [:]
    }

    var content = Content()
    var rows: [Int64: FileCheckpoint] { content.rows }
    var counters: [CounterName: Int64] { content.counters }
    var firstOffsets: [Int64: Int64] { content.firstOffsets }
    /// Called after commits that no power cut may take back.
    var onDurableCommit: () -> Void = {}
    var onSave: (FileCheckpoint) -> Void = { _ in }
    /// Thrown instead of writing.
    var failure: CheckpointError?

    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
        rows.values.filter { $0.pipeline == pipeline && $0.job == job }.sorted { $0.id < $1.id }
    }

    func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] {
        if let failure { throw failure }
        defer { onDurableCommit() }
        return files.map { file in
            content.lastID += 1
            let id = content.lastID
            content.rows[id] = file
            content.rows[id]?.id = id
            content.firstOffsets[id] = file.checkpoint.offset
            return id
        }
    }

    func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if let failure { throw failure }
        for file in files {
            precondition(rows[file.id] != nil, "row \(file.id) was never registered")
            content.rows[file.id] = file
            onSave(file)
        }
        content.counters.merge(counts, uniquingKeysWith: +)
    }

    func forgetGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64] {
        []
    }
}
