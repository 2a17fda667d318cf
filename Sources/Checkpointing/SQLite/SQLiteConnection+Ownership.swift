/// The row that says whose the database is.
struct OwnershipRow: Equatable {
    var incarnation: Int64
    var owner: OwnerID
    /// Set while what the original had in flight is not resolved.
    var copiedFrom: OwnerID?
    var witness: OwnershipWitness
    var machine: String
    /// How many commits there were.
    var commits: Int64

    var ownership: Ownership {
        copiedFrom.map { .copied(original: $0) } ?? .same
    }

    /// Whether a process before this one has begun with this database.
    private var hasBegun: Bool { witness.token != 0 }

    /// Begins another incarnation, as a copy if the directory's witness is not the row's, or has
    /// seen more.
    mutating func begin(
        found: OwnershipWitness?,
        commits seen: Int64,
        next: OwnershipWitness,
        machine: String,
        newOwner: OwnerID
    ) {
        let isOther = !machine.isEmpty && !self.machine.isEmpty && machine != self.machine
        if hasBegun, isOther || found != witness || seen > commits {
            copiedFrom = copiedFrom ?? owner
            owner = newOwner
        }
        incarnation += 1
        witness = next
        self.machine = machine
    }

    fileprivate var checksum: Int64 {
        var sum = RowChecksum()
        sum.combine(incarnation)
        sum.combine(owner.rawValue)
        sum.combine(copiedFrom?.rawValue ?? 0)
        for number in [witness.token, witness.inode, witness.birthTime] { sum.combine(number) }
        sum.combine(machine)
        return sum.value
    }
}

extension SQLiteConnection {
    func ownership() throws(CheckpointError) -> OwnershipRow {
        var result: OwnershipRow?
        try query(
            """
            SELECT incarnation, owner, copied_from, token, witness_inode, witness_birth_time,
                machine, ownership.checksum,
                coalesce((SELECT commits FROM progress), 0) FROM owner, ownership
            """,
            row: { (row) throws(CheckpointError) in
                let found = OwnershipRow(from: row)
                // It has none before the first start.
                let isNew = found.witness.token == 0 && row.isNull(7)
                guard isNew || row.optionalInteger(7) == found.checksum else {
                    throw .damaged(path, "its owner's row was changed")
                }
                result = found
            }
        )
        guard let result else { throw .damaged(path, "it has no owner row") }
        return result
    }

    private func write(_ row: OwnershipRow) throws(CheckpointError) {
        try query(
            "UPDATE owner SET incarnation = ?",
            bind: { $0.bind(row.incarnation) }
        )
        try query(
            """
            UPDATE ownership SET (owner, copied_from, token, witness_inode, witness_birth_time,
                machine, checksum) = (?,?,?,?,?,?,?)
            """,
            bind: {
                $0.bind(Int64(bitPattern: row.owner.rawValue))
                $0.bind(row.copiedFrom.map { Int64(bitPattern: $0.rawValue) })
                $0.bind(row.witness.token)
                $0.bind(row.witness.inode)
                $0.bind(row.witness.birthTime)
                $0.bind(row.machine)
                $0.bind(row.checksum)
            }
        )
    }

    /// Becomes the owner of the database, in the directory where it lies.
    ///
    /// - Parameter risk: what is at risk from now on, unless more is already.
    func beginIncarnation(
        in directory: String,
        risk: CommitRisk
    ) throws(CheckpointError) -> (OwnershipRow, OwnershipWitnessFile, found: CommitRisk) {
        var row = try ownership()
        try refuseChangedProgress()
        if try OwnershipWitnessFile.drafted(in: directory)?.witness == row.witness {
            try OwnershipWitnessFile.keepDraft(in: directory)
        }
        let kept = try OwnershipWitnessFile.kept(in: directory)
        let found = kept?.risk ?? .none
        let next = try OwnershipWitnessFile.draft(
            in: directory,
            commits: row.commits,
            risk: found.hasCome ? .unresolved : risk
        )
        row.begin(
            found: kept?.witness,
            commits: kept?.commits ?? 0,
            next: next.witness,
            machine: machineID(),
            newOwner: OwnerID(rawValue: UInt64.random(in: 1...UInt64.max))
        )
        try transaction { () throws(CheckpointError) in try write(row) }
        try OwnershipWitnessFile.keepDraft(in: directory)
        return (row, next, found)
    }

    /// Counts a commit as part of it, so that a database without it can be told from this one.
    func count(commits: Int64) throws(CheckpointError) {
        try query(
            "REPLACE INTO progress (only, commits, checksum) VALUES (1,?,?)",
            bind: {
                $0.bind(commits)
                $0.bind(Self.checksum(commits: commits))
            }
        )
    }

    private func refuseChangedProgress() throws(CheckpointError) {
        try query(
            "SELECT commits, checksum FROM progress",
            row: { (row) throws(CheckpointError) in
                guard row.integer(1) == Self.checksum(commits: row.integer(0)) else {
                    throw changed("progress", 1)
                }
            }
        )
    }

    private static func checksum(commits: Int64) -> Int64 {
        var sum = RowChecksum()
        sum.combine(commits)
        return sum.value
    }

    func resolveOwnership() throws(CheckpointError) {
        var row = try ownership()
        row.copiedFrom = nil
        try write(row)
    }
}

extension OwnershipRow {
    fileprivate init(from row: borrowing SQLiteStatement) {
        incarnation = row.integer(0)
        owner = OwnerID(rawValue: UInt64(bitPattern: row.integer(1)))
        copiedFrom = row.optionalInteger(2).map { OwnerID(rawValue: UInt64(bitPattern: $0)) }
        witness = OwnershipWitness(
            token: row.integer(3),
            inode: row.integer(4),
            birthTime: row.integer(5)
        )
        machine = row.text(6)
        commits = row.integer(8)
    }
}
