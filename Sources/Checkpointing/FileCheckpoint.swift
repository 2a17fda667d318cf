/// What is remembered of one file for one pipeline: who it is, and how far it is settled.
package struct FileCheckpoint: Equatable, Sendable {
    /// What the file was doing when the checkpoint was written.
    package enum State: Int64, Sendable {
        /// Being read, or waiting for more.
        case live = 0
        /// Read and settled to an end that will not move again.
        case finished = 1
        /// No longer on disk.
        case gone = 2
    }

    /// The id of a file that is not to be remembered.
    package static let unregisteredID: Int64 = 0

    /// Opaque, given by ``CheckpointStore/register(_:)``; 0 before that.
    package var id = Self.unregisteredID
    package var pipeline: String
    /// The backfill that this row belongs to; empty for tailing.
    package var job: String = ""
    /// How often the file was rewritten under the same id.
    package var generation: Int64 = 0
    package var path: String
    /// The path under which its reading began.
    ///
    /// What is made of its lines may depend on this one alone: made again after a crash, a record
    /// must find the same key though the file has another name by then.
    package var firstPath: String
    package var device: UInt64
    package var inode: UInt64
    /// Nanoseconds since 1970, where the file system tells.
    package var birthTime: Int64?
    package var headHash: UInt64 = 0
    /// How many bytes ``headHash`` covers.
    package var headLength: Int = 0
    package var checkpoint = Checkpoint(offset: 0)
    /// The CSV header row, as it stands in the file.
    package var header: [UInt8]?
    package var state: State = .live
    /// Seconds since 1970 at the last write; the store fills it in.
    package var updatedAt: Int64 = 0

    package init(pipeline: String, path: String, device: UInt64, inode: UInt64) {
        self.pipeline = pipeline
        self.path = path
        self.firstPath = path
        self.device = device
        self.inode = inode
    }
}
