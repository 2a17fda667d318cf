import FileTailing
import Kafka
import Synchronization
import Testing

@testable import Checkpointing
@testable import Shipping

/// E, continued: the database itself.
extension ScenarioTests {
    @Test(arguments: [0, 1024], 1...5 as ClosedRange<UInt64>)
    func `65: a damaged database is refused and left as it is`(start: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let it = try Scenario(keeping: .database)
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.stop()
        var content = it.folder.bytes("state/checkpoints.db")
        let end = start == 0 ? 512 : content.count
        for index in start..<end { content[index] = UInt8.random(in: 0...255, using: &generator) }
        it.write("state/checkpoints.db", bytes: content)
        let error = #expect(throws: CheckpointError.self) { try it.start() }
        #expect(error?.kind == .damaged)
        #expect(error?.message.contains("checkpoints.db") == true)
        #expect(it.folder.bytes("state/checkpoints.db") == content)
        #expect(it.values == numbers(0..<10))
    }

    @Test func `66: while the disk is full records go on, and checkpoints follow later`() throws {
        let it = try Scenario(keeping: .database)
        let isFull = Flag()
        let full: Int32 = 13  // SQLITE_FULL
        it.beforeDatabaseStep = { _ in isFull.isSet ? full : nil }
        it.write("a.log", numbered(0..<5))
        try it.start()
        isFull.set(true)
        it.append("a.log", numbered(5..<10))
        it.write("b.log", numbered(10..<15))
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<10))
        #expect(it.said("checkpoints cannot be written"))
        #expect(it.said("files cannot be registered"))
        #expect(it.process?.hasUnsavedCheckpoints == true)
        #expect(it.process?.unregisteredPaths == [it.folder.file("b.log")])
        isFull.set(false)
        it.pass(.seconds(10))
        #expect(it.process?.hasUnsavedCheckpoints == false)
        #expect(it.process?.unregisteredPaths == [])
        #expect(it.values == numbers(0..<15))
        #expect(try it.offset(of: "a.log") == 20)
        it.kill()
        try it.start()
        #expect(it.values == numbers(0..<15))
    }

    @Test func `67: a database of an older version keeps its offsets`() throws {
        let it = try Scenario(keeping: .database)
        it.write("a.log", numbered(0..<10))
        let file = try TailedFile(opening: it.folder.file("a.log"), on: LinuxDisk())
        var row = FileCheckpoint(
            pipeline: "it",
            path: file.path,
            device: file.key.device,
            inode: file.key.inode
        )
        row.checkpoint = Checkpoint(
            offset: 10,
            framerState: 1,
            guardBytes: try file.guardBytes(before: 10)
        )
        do {
            var older = CheckpointSchema.current
            older.steps.removeLast()
            let connection = try SQLiteConnection(
                path: it.databasePath,
                mode: .new,
                beforeStep: nil
            )
            try older.migrate(connection)
            // Rows are written as they are today, with a column that the older version has not.
            try connection.run("ALTER TABLE file ADD COLUMN first_path TEXT")
            _ = try connection.insert(row)
            try connection.run("ALTER TABLE file DROP COLUMN first_path")
        }
        try it.start()
        #expect(it.values == numbers(5..<10))
        it.append("a.log", numbered(10..<12))
        it.pass()
        try it.restart()
        #expect(it.values == numbers(5..<12))
    }

    @Test func `68: a second process on one state directory is refused`() throws {
        let it = try Scenario(keeping: .database)
        try it.start()
        let error = #expect(throws: CheckpointError.self) {
            _ = try CheckpointStore(path: it.databasePath)
        }
        #expect(error?.message.contains("--state-dir") == true)
        it.write("a.log", numbered(0..<3))
        it.pass()
        #expect(it.values == numbers(0..<3))
        it.kill()
        _ = try CheckpointStore(path: it.databasePath)
    }

    @Test(arguments: [false, true])
    func `69: the entries of files that are gone expire, also if they went while it was stopped`(
        isStopped: Bool
    ) throws {
        let it = try Scenario(keeping: .database)
        it.write("a.log", numbered(0..<3))
        it.write("b.log", numbered(3..<6))
        try it.start()
        if isStopped { it.stop() }
        it.remove("a.log")
        if isStopped { try it.start() }
        it.pass(.seconds(3700))
        #expect(try it.checkpoints().count == 2)
        it.setClock(by: .seconds(31 * 86_400))
        it.pass(.seconds(3700))
        #expect(try it.checkpoints().map { it.folder.shortened($0.path) } == ["b.log"])
        it.append("b.log", numbered(6..<7))
        it.pass()
        #expect(it.values.sorted() == numbers(0..<7))
    }
}

private final class Flag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }

    func set(_ isSet: Bool) { value.withLock { $0 = isSet } }
}
