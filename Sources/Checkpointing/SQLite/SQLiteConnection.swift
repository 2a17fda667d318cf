import CSQLite
import Glibc

/// One connection to one database, with its statements prepared once.
///
/// Not thread-safe by itself.
// Safe: only CheckpointStore uses one, and only inside its lock.
final class SQLiteConnection: @unchecked Sendable {
    enum Mode {
        case new
        case existing
        case readOnly

        var flags: Int32 {
            switch self {
            case .new: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .existing: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            }
        }

        var settings: [String] {
            switch self {
            // A new database has no WAL, so that one rename moves it whole.
            case .new: ["PRAGMA synchronous = FULL"]
            case .existing: ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"]
            case .readOnly: []
            }
        }
    }

    /// How long to wait for somebody who looks into the database, a backup for instance.
    private static let busyTimeoutMilliseconds: Int32 = 2_000

    let path: String
    private let handle: OpaquePointer
    private let beforeStep: CheckpointStore.StepHook?
    private var statements: [String: SQLiteStatement] = [:]

    init(
        path: String,
        mode: Mode,
        beforeStep: CheckpointStore.StepHook?
    ) throws(CheckpointError) {
        self.path = path
        self.beforeStep = beforeStep
        var handle: OpaquePointer?
        let flags = mode.flags | SQLITE_OPEN_NOMUTEX
        let code = beforeStep?("open") ?? sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let error = CheckpointError.sqlite(code, handle, path)
            sqlite3_close_v2(handle)
            throw error
        }
        self.handle = handle
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, Self.busyTimeoutMilliseconds)
        // Nothing is written to a file before it is known for a database of ours.
        if mode != .new { try check() }
        for setting in mode.settings { try run(setting) }
    }

    deinit {
        for statement in statements.values { statement.finalize() }
        sqlite3_close_v2(handle)
    }

    /// Runs statements that return nothing of interest.
    func run(_ text: String) throws(CheckpointError) {
        try require(beforeStep?(text) ?? sqlite3_exec(handle, text, nil, nil, nil))
    }

    /// Runs one statement, giving each of its rows to `row`.
    func query(
        _ text: String,
        bind: (inout SQLiteStatement.Binder) -> Void = { _ in },
        row: (borrowing SQLiteStatement) throws(CheckpointError) -> Void = { _ in }
    ) throws(CheckpointError) {
        let statement = try prepared(text)
        defer { statement.reset() }
        var binder = SQLiteStatement.Binder(statement)
        bind(&binder)
        try require(binder.code)
        while true {
            let code = beforeStep?(text) ?? statement.step()
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw error(code) }
            try row(statement)
        }
    }

    /// Runs `body` so that all of it is durable afterwards, or nothing of it happened.
    func transaction<Result>(
        _ body: () throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try run("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            rollBack()
            throw error
        }
    }

    /// Runs `body` so that all it reads was there at one moment.
    func snapshot<Result>(
        _ body: () throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try run("BEGIN")
        defer { rollBack() }
        return try body()
    }

    /// The first column of the only row.
    func integer(_ text: String) throws(CheckpointError) -> Int64? {
        var result: Int64?
        try query(text, row: { (row) throws(CheckpointError) in result = row.integer(0) })
        return result
    }

    var lastInsertedID: Int64 { sqlite3_last_insert_rowid(handle) }
    var changedRows: Int { Int(sqlite3_changes(handle)) }

    func close() throws(CheckpointError) {
        for statement in statements.values { statement.finalize() }
        statements.removeAll()
        // The handle itself goes with this object; here everything must have reached the disk.
        try require(beforeStep?("close") ?? SQLITE_OK)
    }

    private func prepared(_ text: String) throws(CheckpointError) -> SQLiteStatement {
        if let statement = statements[text] { return statement }
        var pointer: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        try require(sqlite3_prepare_v3(handle, text, -1, flags, &pointer, nil))
        guard let pointer else { throw error(SQLITE_MISUSE) }
        let statement = SQLiteStatement(pointer)
        statements[text] = statement
        return statement
    }

    private func rollBack() {
        // SQLite has rolled back already after some errors, a full disk for one.
        if sqlite3_get_autocommit(handle) == 0 {
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
        }
    }

    private func require(_ code: Int32) throws(CheckpointError) {
        guard code == SQLITE_OK else { throw error(code) }
    }

    private func error(_ code: Int32) -> CheckpointError {
        .sqlite(code, handle, path)
    }
}

/// A prepared statement: positions are bound from 1 and read from 0, as in SQLite.
struct SQLiteStatement {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    func step() -> Int32 { sqlite3_step(pointer) }

    func reset() {
        sqlite3_reset(pointer)
        sqlite3_clear_bindings(pointer)
    }

    func finalize() { sqlite3_finalize(pointer) }

    func isNull(_ column: Int32) -> Bool {
        sqlite3_column_type(pointer, column) == SQLITE_NULL
    }

    func integer(_ column: Int32) -> Int64 {
        sqlite3_column_int64(pointer, column)
    }

    func optionalInteger(_ column: Int32) -> Int64? {
        isNull(column) ? nil : integer(column)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(pointer, column) else { return [] }
        let count = Int(sqlite3_column_bytes(pointer, column))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    func text(_ column: Int32) -> String {
        String(decoding: bytes(column), as: UTF8.self)
    }

    /// Binds values one after another and keeps the first failure.
    struct Binder {
        private let statement: SQLiteStatement
        private var position: Int32 = 0
        private(set) var code = SQLITE_OK
        // SQLite copies what it is given before the call returns.
        private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

        init(_ statement: SQLiteStatement) {
            self.statement = statement
        }

        mutating func bind(_ value: Int64?) {
            guard let value else { return bindNull() }
            note(sqlite3_bind_int64(statement.pointer, next(), value))
        }

        mutating func bind(_ text: String?) {
            guard let text else { return bindNull() }
            let count = Int32(clamping: text.utf8.count)
            let position = next()
            note(sqlite3_bind_text(statement.pointer, position, text, count, Self.transient))
        }

        mutating func bind(_ bytes: [UInt8]?) {
            guard let bytes else { return bindNull() }
            let position = next()
            // A null pointer would bind NULL, not an empty blob.
            if bytes.isEmpty { return note(sqlite3_bind_zeroblob(statement.pointer, position, 0)) }
            let count = Int32(clamping: bytes.count)
            note(sqlite3_bind_blob(statement.pointer, position, bytes, count, Self.transient))
        }

        private mutating func bindNull() {
            note(sqlite3_bind_null(statement.pointer, next()))
        }

        private mutating func next() -> Int32 {
            position += 1
            return position
        }

        private mutating func note(_ result: Int32) {
            if code == SQLITE_OK { code = result }
        }
    }
}

extension CheckpointError {
    static func sqlite(_ code: Int32, _ handle: OpaquePointer?, _ path: String) -> CheckpointError {
        let reason = String(cString: sqlite3_errstr(code))
        let systemCode = handle.map { sqlite3_system_errno($0) } ?? 0
        switch code & 0xFF {
        // No row of ours is too big: its length was overwritten.
        case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_TOOBIG:
            return .damaged(path, reason)
        case SQLITE_IOERR where systemCode == ENOSPC || systemCode == EDQUOT:
            return .full(path)
        case SQLITE_FULL:
            return .full(path)
        case SQLITE_BUSY, SQLITE_LOCKED:
            return CheckpointError(
                .locked(processID: nil),
                "the checkpoint database '\(path)' is held by somebody else; close what looks into it"
            )
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return CheckpointError(
                .unwritable,
                "cannot open or write the checkpoint database '\(path)' (\(reason)); "
                    + "check that this user may write to it and to its directory"
            )
        default:
            return CheckpointError(
                .failed,
                "the checkpoint database '\(path)' answered: \(reason) (code \(code)); "
                    + "look at the disk's health"
            )
        }
    }

    static func full(_ path: String) -> CheckpointError {
        CheckpointError(
            .diskFull,
            "no room to write the checkpoint database '\(path)'; free some, it is tried again"
        )
    }

    static func damaged(_ path: String, _ what: String) -> CheckpointError {
        CheckpointError(
            .damaged,
            "the checkpoint database '\(path)' is damaged (\(what)); restore it from a copy, or "
                + "move it away to read every file as new, which sends records again"
        )
    }
}
