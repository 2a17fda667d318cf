import CSQLite
import Glibc
import Synchronization

/// Where checkpoints are remembered: one SQLite database in a state directory with one owner.
///
/// Each call is one durable transaction: when it returns, a power cut cannot take it back, unless
/// ``Synchronous/normal`` was chosen; when it throws, nothing has changed.
///
///     let store = try CheckpointStore(path: "/var/lib/forktail/checkpoints.db")
///     file.id = try store.register(file)
///     try store.save([file])
package final class CheckpointStore: CheckpointKeeping {
    /// Called before each database step with its name; a returned SQLite code is its failure.
    package typealias StepHook = @Sendable (String) -> Int32?

    /// What survives a power cut; a crash of the process alone takes back nothing.
    package enum Synchronous: String, Sendable, CaseIterable {
        /// Each call.
        case full
        /// Sessions and new files; of the rest what the kernel has written by itself.
        case normal
    }

    package let path: String
    /// How often this database was opened by an owner.
    package let incarnation: Int64
    /// Who this state directory is to others.
    package let owner: OwnerID
    /// Whether it was, when it was opened, the database that the last process wrote.
    package let ownership: Ownership
    /// Whether a power cut may have taken back what was committed last.
    package let mayHaveLostCommits: Bool
    /// Whether the process before this one ended with its host, in another boot than this.
    package let hostDied: Bool
    private let synchronous: Synchronous
    private let connection: Mutex<SQLiteConnection>
    /// Changes only in the connection's lock.
    private let commits: Atomic<Int64>
    private let witness: OwnershipWitnessFile?
    private let isResolved = Atomic(false)
    private let identity: FileIdentity?
    private let lock: StateDirectoryLock?

    /// Opens the database at `path`, or makes it, and becomes the owner of its directory.
    ///
    /// - Throws: `.locked` if another process owns the directory, `.damaged` if the contents
    ///   cannot be trusted, `.tooNew` if a later version wrote them.
    package convenience init(
        path: String,
        synchronous: Synchronous = .full,
        beforeStep: StepHook? = nil
    ) throws(CheckpointError) {
        try self.init(
            path: path,
            schema: .current,
            synchronous: synchronous,
            beforeStep: beforeStep
        )
    }

    init(
        path: String,
        schema: CheckpointSchema,
        synchronous: Synchronous = .full,
        beforeStep: StepHook? = nil
    ) throws(CheckpointError) {
        let directory = parentDirectory(of: path)
        let lock = try StateDirectoryLock(directory: directory)
        if try !fileExists(path) {
            try Self.create(path: path, schema: schema, beforeStep: beforeStep)
        }
        let connection = try SQLiteConnection(path: path, mode: .existing, beforeStep: beforeStep)
        try schema.migrate(connection)
        try connection.refuseChangedRows()
        let (row, witness, found) = try connection.beginIncarnation(
            in: directory,
            risk: Self.risk(of: synchronous)
        )
        if synchronous == .normal { try connection.run("PRAGMA synchronous = NORMAL") }
        self.incarnation = row.incarnation
        self.owner = row.owner
        self.ownership = row.ownership
        self.mayHaveLostCommits = found.hasCome
        self.hostDied = found.hasCome && found != .unresolved
        self.synchronous = synchronous
        self.commits = Atomic(row.commits)
        self.witness = witness
        self.path = path
        self.identity = try FileIdentity(of: path)
        self.lock = lock
        self.connection = Mutex(connection)
    }

    private init(reading path: String) throws(CheckpointError) {
        guard try fileExists(path) else {
            throw CheckpointError(
                .missing,
                "there is no checkpoint database at '\(path)'; give the state directory of the service"
            )
        }
        let connection = try SQLiteConnection(path: path, mode: .readOnly, beforeStep: nil)
        try CheckpointSchema.current.refuseOther(connection)
        let row = try connection.ownership()
        self.incarnation = row.incarnation
        self.owner = row.owner
        self.ownership = row.ownership
        self.mayHaveLostCommits = false
        self.hostDied = false
        self.synchronous = .full
        self.commits = Atomic(row.commits)
        self.witness = nil
        self.path = path
        self.identity = nil
        self.lock = nil
        self.connection = Mutex(connection)
    }

    /// Tells who only looks what the owner of the state directory does: ``StateDirectoryOwner``.
    ///
    /// - Parameter details: more of it, a line each.
    package func describeOwner(_ text: String, details: [String] = []) {
        lock?.describe(text, details)
    }

    /// Opens the database for looking only, beside a running owner.
    package static func open(readOnly path: String) throws(CheckpointError) -> CheckpointStore {
        try CheckpointStore(reading: path)
    }

    /// Whether the database is still under its path, where the next start will look for it.
    ///
    /// SQLite goes on in a file that was deleted, and what it writes there is lost with the process.
    package var isInPlace: Bool {
        guard let identity else { return true }
        do {
            return try FileIdentity(of: path) == identity
        } catch {
            // It may be there: that it cannot be looked at says nothing of it.
            return true
        }
    }

    /// Remembers a file for the first time; the id is durable before the first byte is read.
    package func register(_ file: FileCheckpoint) throws(CheckpointError) -> Int64 {
        try register([file])[0]
    }

    package func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] {
        if files.isEmpty { return [] }
        // An id that a power cut took back would be given to another file.
        return try inTransaction(isDurable: true) { connection throws(CheckpointError) in
            var ids: [Int64] = []
            for file in files { ids.append(try connection.insert(file)) }
            return ids
        }
    }

    package func save(
        _ files: [FileCheckpoint],
        adding counts: [CounterName: Int64]
    ) throws(CheckpointError) {
        if files.isEmpty, counts.isEmpty { return }
        try inTransaction { connection throws(CheckpointError) in
            for file in files { try connection.update(file) }
            for (counter, count) in counts { try connection.add(count, to: counter) }
        }
    }

    /// What was counted over all runs.
    package func counters() throws(CheckpointError) -> [CounterName: Int64] {
        try connection.withLock { connection throws(CheckpointError) in try connection.counters() }
    }

    /// The files of one pipeline, in the order they were registered.
    package func files(
        pipeline: String,
        job: String = ""
    ) throws(CheckpointError) -> [FileCheckpoint] {
        try connection.withLock { connection throws(CheckpointError) in
            try connection.files(pipeline: pipeline, job: job)
        }
    }

    /// Every file of every pipeline and job.
    package func allFiles() throws(CheckpointError) -> [FileCheckpoint] {
        try connection.withLock { connection throws(CheckpointError) in try connection.allFiles() }
    }

    /// Forgets files for good; they would be read from their start if they came back.
    package func forget(_ ids: [Int64]) throws(CheckpointError) {
        if ids.isEmpty { return }
        try inTransaction { connection throws(CheckpointError) in
            for id in ids { try connection.deleteFile(id) }
        }
    }

    @discardableResult
    package func forgetGone(
        before time: Int64,
        keeping limit: Int = .max
    ) throws(CheckpointError) -> [Int64] {
        try inTransaction { connection throws(CheckpointError) in
            try connection.deleteGone(before: time, keeping: limit)
        }
    }

    /// Folds the write-ahead log into the database, so that the one file is all there is to copy.
    ///
    /// Not needed for safety: the log is read at the next start.
    package func foldLog() throws(CheckpointError) {
        try connection.withLock { connection throws(CheckpointError) in
            try connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }

    /// Folds the log as the last thing that is done: all commits are on the disk then.
    package func close() throws(CheckpointError) {
        try foldLog()
        guard synchronous == .normal, !mayHaveLostCommits || isResolved.load(ordering: .relaxed)
        else { return }
        try witness?.note(.none)
    }

    /// What is at risk from now on.
    static func risk(of synchronous: Synchronous) -> CommitRisk {
        synchronous == .normal ? .ofThisBoot : .none
    }

    /// Tells that all is found out that the original of a copy, or lost commits, may have had in
    /// flight: the database is whole, and one of its own.
    package func resolveOwnership() throws(CheckpointError) {
        guard ownership != .same || mayHaveLostCommits else { return }
        try inTransaction(isDurable: true) { connection throws(CheckpointError) in
            try connection.resolveOwnership()
        }
        if mayHaveLostCommits { try witness?.note(Self.risk(of: synchronous)) }
        isResolved.store(true, ordering: .relaxed)
    }

    func inTransaction<Result: Sendable>(
        isDurable: Bool = false,
        _ body: (SQLiteConnection) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try connection.withLock { connection throws(CheckpointError) in
            let isRaised = isDurable && synchronous == .normal
            if isRaised { try connection.run("PRAGMA synchronous = FULL") }
            // Were it to fail, commits would only last longer.
            defer { if isRaised { try? connection.run("PRAGMA synchronous = NORMAL") } }
            let number = commits.load(ordering: .relaxed) + 1
            let result = try connection.transaction { () throws(CheckpointError) in
                try connection.count(commits: number)
                return try body(connection)
            }
            commits.store(number, ordering: .relaxed)
            witness?.note(commits: number)
            return result
        }
    }

    func reading<Result: Sendable>(
        _ body: (SQLiteConnection) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try connection.withLock { connection throws(CheckpointError) in try body(connection) }
    }

    // Made whole beside its place and then renamed: an empty file at `path` is always damage.
    private static func create(
        path: String,
        schema: CheckpointSchema,
        beforeStep: StepHook?
    ) throws(CheckpointError) {
        let draft = path + ".new"
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(draft + suffix) }
        let connection = try SQLiteConnection(path: draft, mode: .new, beforeStep: beforeStep)
        try schema.migrate(connection)
        try connection.close()
        // The log of a database that somebody deleted must not be played into the new one.
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        guard rename(draft, path) == 0 else {
            throw .system(errno, "create", path)
        }
        try synchronizeDirectory(parentDirectory(of: path))
    }
}
