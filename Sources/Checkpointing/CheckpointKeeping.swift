/// Where checkpoints are kept: a database, or a simulation's memory.
///
/// Each call is one durable transaction: when it returns, a power cut cannot take it back, unless
/// that was given up for speed; when it throws, nothing has changed.
package protocol CheckpointKeeping: Sendable {
    /// The files of one pipeline, in the order they were registered.
    ///
    /// - Parameter job: the backfill that they belong to; empty for tailing.
    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint]

    /// Remembers files for the first time; their ids are durable before a byte of them is read.
    func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64]

    /// Writes checkpoints of registered files, and adds to counters.
    func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError)

    /// Forgets files that are gone or finished.
    ///
    /// - Parameter time: those last written before it, in seconds since 1970.
    /// - Parameter limit: and of each pipeline the oldest beyond so many.
    /// - Returns: the ids of the forgotten ones.
    func forgetGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64]
}

extension CheckpointKeeping {
    package func save(_ files: [FileCheckpoint]) throws(CheckpointError) {
        try save(files, adding: [:])
    }
}

/// Something that is counted over all runs of a pipeline.
package struct CounterName: Hashable, Sendable {
    package var pipeline: String
    /// Such as `rotations`, or `abandoned_bytes` with its cause behind a dot.
    package var name: String

    package init(_ name: String, of pipeline: String) {
        self.pipeline = pipeline
        self.name = name
    }
}
