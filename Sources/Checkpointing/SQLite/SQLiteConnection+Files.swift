import Glibc

private let columns = """
    pipeline, job, generation, path, device, inode, birth_time, head_hash, head_length, \
    offset, line, framer_state, guard, header, state, updated_at, checksum, \
    first_path
    """

extension SQLiteConnection {
    /// Refuses a database whose pages do not fit together, or that holds nothing at all.
    func check() throws(CheckpointError) {
        guard try userVersion() != 0 else { throw .damaged(path, "it is empty") }
        var report = "it gives no answer"
        try query(
            "PRAGMA quick_check(1)",
            row: { (row) throws(CheckpointError) in report = row.text(0) }
        )
        guard report == "ok" else { throw .damaged(path, report) }
    }

    func userVersion() throws(CheckpointError) -> Int {
        Int(try integer("PRAGMA user_version") ?? 0)
    }

    func insert(_ file: FileCheckpoint) throws(CheckpointError) -> Int64 {
        let row = stamped(file)
        try query(
            "INSERT INTO file (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            bind: { bindColumns(of: row, to: &$0) }
        )
        return lastInsertedID
    }

    func update(_ file: FileCheckpoint) throws(CheckpointError) {
        guard try updateIfKnown(file) else {
            throw CheckpointError(
                .failed,
                "the checkpoint of '\(file.path)' was never registered (id \(file.id)); "
                    + "please report this"
            )
        }
    }

    /// False if there is no such file, or no longer.
    func updateIfKnown(_ file: FileCheckpoint) throws(CheckpointError) -> Bool {
        let row = stamped(file)
        try query(
            "UPDATE file SET (\(columns)) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE id = ?",
            bind: {
                bindColumns(of: row, to: &$0)
                $0.bind(row.id)
            }
        )
        return changedRows == 1
    }

    /// Keeps what is to become of a file if a transaction is committed.
    func insert(
        _ file: FileCheckpoint,
        pendingIn transactionalID: String
    ) throws(CheckpointError) {
        let row = stamped(file)
        try query(
            """
            INSERT INTO pending_file (\(columns), id, transactional_id)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
            """,
            bind: {
                bindColumns(of: row, to: &$0)
                $0.bind(row.id)
                $0.bind(transactionalID)
            }
        )
    }

    func pendingFiles(_ transactionalID: String) throws(CheckpointError) -> [FileCheckpoint] {
        try files("pending_file WHERE transactional_id = ?") { $0.bind(transactionalID) }
    }

    func deleteFile(_ id: Int64) throws(CheckpointError) {
        try query("DELETE FROM file WHERE id = ?", bind: { $0.bind(id) })
    }

    func deleteGone(before time: Int64, keeping limit: Int) throws(CheckpointError) -> [Int64] {
        var ids: [Int64] = []
        try query(
            """
            DELETE FROM file WHERE id IN (
                SELECT id FROM (
                    SELECT id, updated_at, row_number() OVER (
                        PARTITION BY pipeline, job ORDER BY updated_at DESC, id DESC
                    ) AS age FROM file WHERE state <> \(FileCheckpoint.State.live.rawValue)
                ) WHERE updated_at < ? OR age > ?
            ) RETURNING id
            """,
            bind: {
                $0.bind(time)
                $0.bind(Int64(limit))
            },
            row: { (row) throws(CheckpointError) in ids.append(row.integer(0)) }
        )
        return ids
    }

    func add(_ count: Int64, to counter: CounterName) throws(CheckpointError) {
        try query(
            """
            INSERT INTO counter (pipeline, name, value) VALUES (?, ?, ?)
            ON CONFLICT (pipeline, name) DO UPDATE SET value = value + excluded.value
            """,
            bind: {
                $0.bind(counter.pipeline)
                $0.bind(counter.name)
                $0.bind(count)
            }
        )
    }

    func counters() throws(CheckpointError) -> [CounterName: Int64] {
        var result: [CounterName: Int64] = [:]
        try query(
            "SELECT pipeline, name, value FROM counter",
            row: { (row) throws(CheckpointError) in
                result[CounterName(row.text(1), of: row.text(0))] = row.integer(2)
            }
        )
        return result
    }

    func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
        try files("file WHERE pipeline = ? AND job = ?") {
            $0.bind(pipeline)
            $0.bind(job)
        }
    }

    func allFiles() throws(CheckpointError) -> [FileCheckpoint] {
        try files("file") { _ in }
    }

    /// Reads every row, since each says itself whether it is still what was written.
    func refuseChangedRows() throws(CheckpointError) {
        _ = try allFiles()
        _ = try journal()
        _ = try pending()
    }

    private func files(
        _ source: String,
        bind: (inout SQLiteStatement.Binder) -> Void
    ) throws(CheckpointError) -> [FileCheckpoint] {
        var result: [FileCheckpoint] = []
        try query(
            "SELECT \(columns), id FROM \(source) ORDER BY id",
            bind: bind,
            row: { (row) throws(CheckpointError) in result.append(try file(from: row)) }
        )
        return result
    }

    private func stamped(_ file: FileCheckpoint) -> FileCheckpoint {
        var row = file
        row.updatedAt = Int64(Glibc.time(nil))
        return row
    }

    private func bindColumns(of file: FileCheckpoint, to binder: inout SQLiteStatement.Binder) {
        binder.bind(file.pipeline)
        binder.bind(file.job)
        binder.bind(file.generation)
        binder.bind(file.path)
        binder.bind(Int64(bitPattern: file.device))
        binder.bind(Int64(bitPattern: file.inode))
        binder.bind(file.birthTime)
        binder.bind(Int64(bitPattern: file.headHash))
        binder.bind(Int64(file.headLength))
        binder.bind(file.checkpoint.offset)
        binder.bind(file.checkpoint.line)
        binder.bind(file.checkpoint.framerState)
        binder.bind(file.checkpoint.guardBytes)
        binder.bind(file.header)
        binder.bind(file.state.rawValue)
        binder.bind(file.updatedAt)
        binder.bind(file.checksum)
        binder.bind(file.wasRenamed ? file.firstPath : nil)
    }

    private func file(
        from row: borrowing SQLiteStatement
    ) throws(CheckpointError) -> FileCheckpoint {
        var file = FileCheckpoint(
            pipeline: row.text(0),
            path: row.text(3),
            device: UInt64(bitPattern: row.integer(4)),
            inode: UInt64(bitPattern: row.integer(5))
        )
        file.id = row.integer(18)
        file.job = row.text(1)
        // Rows of an older schema have none.
        if !row.isNull(17) { file.firstPath = row.text(17) }
        file.generation = row.integer(2)
        file.birthTime = row.isNull(6) ? nil : row.integer(6)
        file.headHash = UInt64(bitPattern: row.integer(7))
        file.headLength = Int(row.integer(8))
        file.checkpoint = Checkpoint(
            offset: row.integer(9),
            line: row.integer(10),
            framerState: row.integer(11),
            guardBytes: row.bytes(12)
        )
        file.header = row.isNull(13) ? nil : row.bytes(13)
        file.updatedAt = row.integer(15)
        guard let state = FileCheckpoint.State(rawValue: row.integer(14)),
            row.integer(16) == file.withState(state).checksum
        else { throw .damaged(path, "the row of file \(file.id) was changed") }
        return file.withState(state)
    }
}

extension FileCheckpoint {
    fileprivate func withState(_ state: State) -> FileCheckpoint {
        var copy = self
        copy.state = state
        return copy
    }

    fileprivate var wasRenamed: Bool { firstPath != path }

    /// Over all that is stored but the id.
    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        for text in [pipeline, job, path] { sum.combine(text) }
        for number in [generation, checkpoint.offset, checkpoint.line, checkpoint.framerState] {
            sum.combine(number)
        }
        for number in [device, inode, headHash] { sum.combine(number) }
        for number in [birthTime ?? -1, Int64(headLength), state.rawValue, updatedAt] {
            sum.combine(number)
        }
        sum.combine(checkpoint.guardBytes)
        sum.combine(header ?? [])
        if wasRenamed { sum.combine(firstPath) }
        return sum.value
    }
}
