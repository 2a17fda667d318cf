import CSQLite
import Checkpointing
import Synchronization
import Testing

/// Lets the n-th step fail.
final class Failure: Sendable {
    private let remaining: Mutex<Int>
    private let code: Int32

    init(at step: Int = .max, code: Int32) {
        remaining = Mutex(step)
        self.code = code
    }

    /// Lets the n-th step from now on fail.
    func arm(at step: Int) {
        remaining.withLock { $0 = step }
    }

    var hasHappened: Bool { remaining.withLock { $0 <= 0 } }

    var hook: CheckpointStore.StepHook {
        { _ in
            self.remaining.withLock { count in
                count -= 1
                return count == 0 ? self.code : nil
            }
        }
    }
}

func sample(path: String) -> FileCheckpoint {
    var file = FileCheckpoint(pipeline: "web", path: path, device: .max, inode: 42)
    file.birthTime = 1_700_000_000_000_000_000
    file.headHash = .max
    file.headLength = 12
    return file
}

extension FileCheckpoint {
    var withoutTime: FileCheckpoint {
        var copy = self
        copy.updatedAt = 0
        copy.id = 0
        return copy
    }
}

/// Changes a database behind its owner's back.
struct RawDatabase: ~Copyable {
    private let handle: OpaquePointer?

    init(path: String) throws {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil)
        self.handle = handle
        try #require(code == SQLITE_OK)
    }

    deinit {
        sqlite3_close_v2(handle)
    }

    func run(_ text: String) throws {
        try #require(sqlite3_exec(handle, text, nil, nil, nil) == SQLITE_OK, "\(text)")
    }

    /// The first column of each row.
    func column(_ text: String) throws -> [String] {
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        var values: [String] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            values.append(sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? "NULL")
        }
        return values
    }
}
