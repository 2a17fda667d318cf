/// The shape of the database, as the steps that led to it.
///
/// `user_version` counts the steps taken. A step, once released, never changes.
struct CheckpointSchema: Sendable {
    var steps: [String]

    static let current = CheckpointSchema(steps: [
        """
        CREATE TABLE owner (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            incarnation INTEGER NOT NULL
        ) STRICT;
        INSERT INTO owner VALUES (1, 0);
        CREATE TABLE file (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pipeline TEXT NOT NULL,
            job TEXT NOT NULL,
            generation INTEGER NOT NULL,
            path TEXT NOT NULL,
            device INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            birth_time INTEGER,
            head_hash INTEGER NOT NULL,
            head_length INTEGER NOT NULL,
            offset INTEGER NOT NULL CHECK (offset >= 0),
            line INTEGER NOT NULL,
            framer_state INTEGER NOT NULL,
            guard BLOB NOT NULL,
            header BLOB,
            state INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX file_by_pipeline ON file (pipeline, job);
        """,
        """
        CREATE TABLE counter (
            pipeline TEXT NOT NULL,
            name TEXT NOT NULL,
            value INTEGER NOT NULL,
            PRIMARY KEY (pipeline, name)
        ) STRICT, WITHOUT ROWID;
        """,
        journalStep,
    ])

    /// Takes the steps that the database lacks, in one transaction.
    func migrate(_ connection: SQLiteConnection) throws(CheckpointError) {
        try refuseNewer(connection)
        let version = try connection.userVersion()
        if version == steps.count { return }
        try connection.transaction { () throws(CheckpointError) in
            for step in steps[version...] { try connection.run(step) }
            try connection.run("PRAGMA user_version = \(steps.count)")
        }
    }

    func refuseNewer(_ connection: SQLiteConnection) throws(CheckpointError) {
        let version = try connection.userVersion()
        guard version >= 0, version <= steps.count else {
            throw CheckpointError(
                .tooNew,
                "the checkpoint database '\(connection.path)' has schema \(version) and this "
                    + "forktail knows up to \(steps.count); run the version that wrote it or a later one"
            )
        }
    }

    func refuseOther(_ connection: SQLiteConnection) throws(CheckpointError) {
        try refuseNewer(connection)
        let version = try connection.userVersion()
        guard version == steps.count else {
            throw CheckpointError(
                .failed,
                "the checkpoint database '\(connection.path)' has the older schema \(version); "
                    + "start the service once to bring it up to date"
            )
        }
    }
}
