/// Why checkpoints could not be read or written, and what to do about it.
package struct CheckpointError: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// The database's contents cannot be trusted.
        case damaged
        /// Another process owns the state directory, or the database for a moment.
        case locked(processID: Int32?)
        /// A file or directory cannot be created, opened or written.
        case unwritable
        /// There is no room left; saving again later may work.
        case diskFull
        /// A later version of Forktail wrote the database.
        case tooNew
        /// There is no database to read.
        case missing
        /// Anything else that SQLite or the disk reports.
        case failed
    }

    package var kind: Kind
    /// One sentence that ends with the next step.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// Whether the same call may work later without anybody's help but the operator's.
    ///
    /// Until it does, nothing is lost: the checkpoint stays behind, and the files are the queue.
    package var isRetryable: Bool {
        switch kind {
        case .diskFull, .unwritable, .locked(processID: nil), .failed: true
        case .damaged, .locked, .tooNew, .missing: false
        }
    }
}

extension CheckpointError: CustomStringConvertible {
    package var description: String { message }
}
