import Glibc
import Testing

@testable import Checkpointing

struct OwnershipTests {
    private let directory = TemporaryDirectory()
    private static let files = ["checkpoints.db", "forktail.owner"]

    @Test func `a restart is the same owner, with 16 digits`() throws {
        let first = try start()
        #expect(first.ownership == .same)
        #expect(first.owner.description.count == 16)
        let second = try start()
        #expect(second.ownership == .same)
        #expect(second.owner == first.owner)
        #expect(second.incarnation == first.incarnation + 1)
        let other = TemporaryDirectory()
        #expect(try start(in: other).owner != first.owner)
        #expect("\(OwnerID(rawValue: 0xAB))" == "00000000000000ab")
    }

    @Test func `a renamed directory stays the same`() throws {
        let other = TemporaryDirectory()
        let owner = try start().owner
        for name in Self.files {
            #expect(rename(directory.file(name), other.file(name)) == 0)
        }
        let store = try start(in: other)
        #expect(store.ownership == .same)
        #expect(store.owner == owner)
    }

    @Test func `a copied directory gets an owner of its own, and the original stays`() throws {
        let original = try start().owner
        let other = TemporaryDirectory()
        for name in Self.files { other.write(name, bytes: directory.bytes(name)) }
        let copy = try start(in: other)
        #expect(copy.ownership == .copied(original: original))
        #expect(copy.owner != original)
        #expect(try start().ownership == .same)
        #expect(try start().owner == original)
    }

    @Test func `a copy stays one until what was in flight is resolved`() throws {
        let original = try start().owner
        directory.remove("forktail.owner")
        let copy = try start().owner
        let again = try start()
        #expect(again.ownership == .copied(original: original))
        #expect(again.owner == copy)
        directory.remove("forktail.owner")
        #expect(try start().ownership == .copied(original: original))
        try CheckpointStore(path: path).resolveOwnership()
        #expect(try start().ownership == .same)
        #expect(try start().owner != original)
    }

    @Test(arguments: [["checkpoints.db"], files])
    func `what was put back from a backup is a copy, also if it was written in place`(
        names: [String]
    ) throws {
        let original = try start().owner
        let backup = names.map { directory.bytes($0) }
        #expect(try start().ownership == .same)
        for (name, bytes) in zip(names, backup) { directory.write(name, bytes: bytes) }
        #expect(try start().ownership == .copied(original: original))
    }

    @Test func `a backup of the same run is a copy, unless nothing was written after it`() throws {
        let original = try start().owner
        var backup: [UInt8] = []
        do {
            let store = try CheckpointStore(path: path)
            _ = try store.register(sample(path: "/a"))
            try store.foldLog()
            backup = directory.bytes("checkpoints.db")
        }
        directory.write("checkpoints.db", bytes: backup)
        #expect(try start().ownership == .same)
        do {
            let store = try CheckpointStore(path: path)
            try store.foldLog()
            backup = directory.bytes("checkpoints.db")
            _ = try store.register(sample(path: "/b"))
        }
        directory.write("checkpoints.db", bytes: backup)
        #expect(try start().ownership == .copied(original: original))
    }

    @Test func `commits are lost only with the host, until it is known what they said`() throws {
        // The process alone was killed.
        #expect(try loss(.normal) == .none)
        #expect(try loss(.normal) == .none)
        reboot()
        #expect(try loss(.full) == .withHost)
        // That start was killed before it had found out anything.
        #expect(try loss(.normal) == .before)
        #expect(try loss(.normal) { try $0.close() } == .before)
        #expect(try loss(.normal) { try $0.resolveOwnership() } == .before)
        #expect(try loss(.normal) == .none)
        reboot()
        #expect(try loss(.normal) { try $0.resolveOwnership() } == .withHost)
        reboot()
        #expect(try loss(.full) == .withHost)
    }

    @Test func `nothing is lost that waited for the disk, or was closed in order`() throws {
        #expect(try loss(.full) == .none)
        reboot()
        #expect(try loss(.normal) { try $0.close() } == .none)
        reboot()
        #expect(try loss(.full) == .none)
    }

    private enum Loss { case none, withHost, before }

    /// What a start knows of commits that may be lost, and what it does then.
    private func loss(
        _ synchronous: CheckpointStore.Synchronous,
        then work: (CheckpointStore) throws -> Void = { _ in }
    ) throws -> Loss {
        let store = try CheckpointStore(path: path, synchronous: synchronous)
        #expect(store.ownership == .same)
        try work(store)
        return store.hostDied ? .withHost : store.mayHaveLostCommits ? .before : .none
    }

    /// Whatever names the boot is another one now; 0 and 1 name none.
    private func reboot() {
        var lines = String(decoding: directory.bytes("forktail.owner"), as: UTF8.self)
            .split(separator: "\n").map(String.init)
        guard let boot = Int64(lines[2]), boot > 1 else { return }
        let digits = "\(boot ^ 2)"
        lines[2] = String(repeating: "0", count: 19 - digits.count) + digits
        directory.write("forktail.owner", lines.joined(separator: "\n") + "\n")
    }

    @Test func `a commit that failed is not counted`() throws {
        let original = try start().owner
        do {
            let failure = Failure(code: 13)
            let store = try CheckpointStore(path: path, beforeStep: failure.hook)
            failure.arm(at: 3)
            #expect(throws: CheckpointError.self) { try store.register(sample(path: "/a")) }
        }
        #expect(try start().ownership == .same)
        #expect(try start().owner == original)
    }

    @Test func `a start that was cut short leaves no copy`() throws {
        let owner = try start().owner
        // Cut after the commit:
        directory.move("forktail.owner", "forktail.owner.new")
        #expect(try start().owner == owner)
        // Cut before it:
        directory.write("forktail.owner.new", "12\n")
        #expect(try start().owner == owner)
        // And after the next commit, with the older witness still there:
        directory.move("forktail.owner", "forktail.owner.new")
        directory.write("forktail.owner", "12\n")
        #expect(try start().owner == owner)
        #expect(try start().ownership == .same)
    }

    @Test func `whichever step of a start fails, the next one is the same owner`() throws {
        let owner = try start().owner
        for step in 1...60 {
            let failure = Failure(at: step, code: 13)
            _ = try? CheckpointStore(path: path, beforeStep: failure.hook)
            let store = try start()
            #expect(store.ownership == .same && store.owner == owner, "step \(step)")
            if !failure.hasHappened { return }
        }
        Issue.record("opening has no end")
    }

    @Test func `a database of an older version is no copy`() throws {
        do {
            var older = CheckpointSchema.current
            older.steps.removeLast()
            let connection = try SQLiteConnection(path: path, mode: .new, beforeStep: nil)
            try older.migrate(connection)
        }
        #expect(try start().ownership == .same)
    }

    @Test func `on another machine it is a copy, unless one of them has no name`() {
        let witness = OwnershipWitness(token: 5, inode: 6, birthTime: 7)
        let before = OwnershipRow(
            incarnation: 3,
            owner: OwnerID(rawValue: 1),
            copiedFrom: nil,
            witness: witness,
            machine: "a",
            commits: 5
        )
        for (machine, isCopy) in [("a", false), ("b", true), ("", false)] {
            var row = before
            row.begin(
                found: witness,
                commits: 5,
                next: OwnershipWitness(token: 8, inode: 9, birthTime: 10),
                machine: machine,
                newOwner: OwnerID(rawValue: 2)
            )
            #expect(row.owner == OwnerID(rawValue: isCopy ? 2 : 1))
            #expect(row.ownership == (isCopy ? .copied(original: before.owner) : .same))
            #expect(row.incarnation == 4 && row.witness.token == 8)
        }
    }

    private var path: String { directory.file("checkpoints.db") }

    private func start() throws -> Start { try start(in: directory) }

    private func start(in directory: TemporaryDirectory) throws -> Start {
        let store = try CheckpointStore(path: directory.file("checkpoints.db"))
        return Start(
            ownership: store.ownership,
            owner: store.owner,
            incarnation: store.incarnation
        )
    }
}

/// What a process finds that ends at once.
private struct Start {
    let ownership: Ownership
    let owner: OwnerID
    let incarnation: Int64
}
