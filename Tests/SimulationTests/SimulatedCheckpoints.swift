import Checkpointing

/// Checkpoints in memory that outlive the processes of a simulation.
///
/// One thread at a time uses it.
final class SimulatedCheckpoints: CheckpointKeeping, @unchecked Sendable {
    private(set) var rows: [Int64: FileCheckpoint] = [:]
    private(set) var counters: [CounterName: Int64] = [:]
    private var lastID: Int64 = 0
    /// Where the reading of each file began.
    private(set) var firstOffsets: [Int64: Int64] = [:]
    var onSave: (FileCheckpoint) -> Void = { _ in }
    /// Thrown instead of writing.
    var failure: CheckpointError?

    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
        rows.values.filter { $0.pipeline == pipeline && $0.job == job }.sorted { $0.id < $1.id }
    }

    func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] {
        if let failure { throw failure }
        return files.map { file in
            lastID += 1
            rows[lastID] = file
            rows[lastID]?.id = lastID
            firstOffsets[lastID] = file.checkpoint.offset
            return lastID
        }
    }

    func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if let failure { throw failure }
        for file in files {
            precondition(rows[file.id] != nil, "row \(file.id) was never registered")
            rows[file.id] = file
            onSave(file)
        }
        counters.merge(counts, uniquingKeysWith: +)
    }

    func forgetGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64] {
        []
    }
}
