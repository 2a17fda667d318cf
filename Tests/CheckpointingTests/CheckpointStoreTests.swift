import CSQLite
import Glibc
import Synchronization
import Testing

@testable import Checkpointing

struct CheckpointStoreTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("checkpoints.db") }

    @Test func `what was saved is there after the store is opened again`() throws {
        var file = sample(path: "/var/log/a.log")
        do {
            let store = try CheckpointStore(path: path)
            file.id = try store.register(file)
            file.checkpoint = Checkpoint(
                offset: 5_000_000_000,
                line: 77,
                framerState: 1,
                guardBytes: [1, 2, 3]
            )
            file.path = "/var/log/a.log.1"
            file.header = Array("id,name".utf8)
            file.state = .finished
            try store.save([file])
        }
        let store = try CheckpointStore(path: path)
        #expect(try store.files(pipeline: "web").map(\.withoutTime) == [file.withoutTime])
        #expect(store.incarnation == 2)
    }

    @Test func `pipelines and jobs do not see each other's files`() throws {
        let store = try CheckpointStore(path: path)
        var other = sample(path: "/b")
        other.pipeline = "orders"
        var backfill = sample(path: "/c")
        backfill.job = "backfill-1"
        let ids = try [sample(path: "/a"), other, backfill].map { try store.register($0) }
        #expect(Set(ids).count == 3)
        #expect(try store.files(pipeline: "web").map(\.path) == ["/a"])
        #expect(try store.files(pipeline: "orders").map(\.path) == ["/b"])
        #expect(try store.files(pipeline: "web", job: "backfill-1").map(\.path) == ["/c"])
        #expect(try store.allFiles().map(\.path) == ["/a", "/b", "/c"])
    }

    @Test func `a database that was removed, moved away or replaced is not in place`() throws {
        let store = try CheckpointStore(path: path)
        #expect(store.isInPlace)
        directory.move("checkpoints.db", "copy.db")
        #expect(!store.isInPlace)
        directory.write("checkpoints.db", "another")
        #expect(!store.isInPlace)
        directory.move("copy.db", "checkpoints.db")
        #expect(store.isInPlace)
        #expect(try CheckpointStore.open(readOnly: path).isInPlace)
    }

    @Test func `a forgotten file's id is never given again`() throws {
        let store = try CheckpointStore(path: path)
        let first = try store.register(sample(path: "/a"))
        try store.forget([first])
        #expect(try store.allFiles().isEmpty)
        #expect(try store.register(sample(path: "/a")) > first)
    }

    @Test func `only files that are gone or finished expire`() throws {
        let store = try CheckpointStore(path: path)
        for state in [FileCheckpoint.State.live, .finished, .gone] {
            var file = sample(path: "/\(state)")
            file.state = state
            _ = try store.register(file)
        }
        #expect(try store.forgetGone(before: 1_000) == [])
        #expect(try store.forgetGone(before: Int64(time(nil)) + 60).count == 2)
        #expect(try store.allFiles().map(\.path) == ["/live"])
    }

    @Test func `saving a file that was never registered changes nothing`() throws {
        let store = try CheckpointStore(path: path)
        var known = sample(path: "/a")
        known.id = try store.register(known)
        known.checkpoint.offset = 9
        #expect(throws: CheckpointError.self) { try store.save([known, sample(path: "/b")]) }
        #expect(try store.allFiles().map(\.checkpoint.offset) == [0])
    }

    @Test func `a second owner is refused and told who the first is`() throws {
        let store = try CheckpointStore(path: path)
        let error = #expect(throws: CheckpointError.self) { _ = try CheckpointStore(path: path) }
        #expect(error?.kind == .locked(processID: getpid()))
        #expect(error?.isRetryable == false)
        #expect(error?.message.contains("process \(getpid())") == true)
        _ = try store.register(sample(path: "/a"))
    }

    @Test func `who has a state directory can be seen beside it`() throws {
        #expect(StateDirectoryOwner(of: directory.path) == nil)
        do {
            let store = try CheckpointStore(path: path)
            store.describeOwner("exactly_once, for long", details: ["pending 2", "sent 10"])
            store.describeOwner("exactly_once", details: ["pending 1"])
            let owner = try #require(StateDirectoryOwner(of: directory.path))
            #expect(owner.processID == getpid())
            #expect(owner.description == "exactly_once")
            #expect(owner.details == ["pending 1"])
            #expect(owner.isRunning)
        }
        #expect(StateDirectoryOwner(of: directory.path)?.isRunning == false)
    }

    @Test func `one who only looks needs no lock and cannot write`() throws {
        let store = try CheckpointStore(path: path)
        _ = try store.register(sample(path: "/a"))
        let looker = try CheckpointStore.open(readOnly: path)
        #expect(try looker.allFiles().map(\.path) == ["/a"])
        let error = #expect(throws: CheckpointError.self) {
            _ = try looker.register(sample(path: "/b"))
        }
        #expect(error?.kind == .unwritable)
    }

    @Test func `looking where there is no database says so`() throws {
        let error = #expect(throws: CheckpointError.self) {
            _ = try CheckpointStore.open(readOnly: path)
        }
        #expect(error?.kind == .missing)
    }

    @Test func `a state directory that does not exist is named`() throws {
        let error = #expect(throws: CheckpointError.self) {
            _ = try CheckpointStore(path: directory.file("none/checkpoints.db"))
        }
        #expect(error?.kind == .unwritable)
        #expect(error?.message.contains("none/forktail.lock") == true)
    }
}

// MARK: - Versions

extension CheckpointStoreTests {
    @Test func `an older database is brought up to date and keeps its offsets`() throws {
        do {
            let store = try CheckpointStore(path: path)
            var file = sample(path: "/a")
            file.checkpoint.offset = 123
            _ = try store.register(file)
        }
        var later = CheckpointSchema.current
        later.steps.append("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT")
        let store = try CheckpointStore(path: path, schema: later)
        #expect(try store.allFiles().map(\.checkpoint.offset) == [123])
    }

    @Test func `a database of a later version is refused and left alone`() throws {
        var later = CheckpointSchema.current
        later.steps.append("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT")
        _ = try CheckpointStore(path: path, schema: later)
        let error = #expect(throws: CheckpointError.self) { _ = try CheckpointStore(path: path) }
        #expect(error?.kind == .tooNew)
    }

    @Test func `a failed migration leaves the older database as it was`() throws {
        _ = try CheckpointStore(path: path)
        var broken = CheckpointSchema.current
        broken.steps += ["CREATE TABLE later (id INTEGER) STRICT", "CREATE NONSENSE"]
        #expect(throws: CheckpointError.self) {
            _ = try CheckpointStore(path: path, schema: broken)
        }
        #expect(try CheckpointStore(path: path).allFiles().isEmpty)
    }
}

// MARK: - Damage

extension CheckpointStoreTests {
    @Test(arguments: ["", "this is no database, but a text that somebody has put here instead"])
    func `a file that is no database is refused`(content: String) throws {
        directory.write("checkpoints.db", content)
        let error = #expect(throws: CheckpointError.self) { _ = try CheckpointStore(path: path) }
        #expect(error?.kind == .damaged)
        #expect(directory.bytes("checkpoints.db") == Array(content.utf8))
    }

    @Test(arguments: [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_TOOBIG])
    func `what SQLite says of overwritten pages is damage`(code: Int32) throws {
        _ = try CheckpointStore(path: path)
        let error = #expect(throws: CheckpointError.self) {
            _ = try CheckpointStore(path: path) { _ in code }
        }
        #expect(error?.kind == .damaged)
    }

    @Test func `random damage is refused or harmless, and never reads as other offsets`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let before = try fill(count: 200)
        let whole = directory.bytes("checkpoints.db")
        var refused = 0
        for _ in 0..<60 {
            var bytes = whole
            for _ in 0..<8 {
                bytes[Int.random(in: bytes.indices, using: &random)] ^= UInt8.random(
                    in: 1...255,
                    using: &random
                )
            }
            directory.write("checkpoints.db", bytes: bytes)
            do throws(CheckpointError) {
                let after = try CheckpointStore(path: path).allFiles()
                #expect(after.map(\.withoutTime) == before.map(\.withoutTime), "seed \(seed)")
            } catch {
                refused += 1
                #expect(error.kind != .locked(processID: nil), "seed \(seed)")
            }
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        }
        #expect(refused > 0, "seed \(seed)")
    }

    private func fill(count: Int) throws -> [FileCheckpoint] {
        let store = try CheckpointStore(path: path)
        for index in 0..<count {
            var file = sample(path: "/var/log/file-\(index).log")
            file.checkpoint.offset = Int64(index) * 1_000_003
            file.checkpoint.guardBytes = Array(repeating: UInt8(index & 0x7F), count: 64)
            _ = try store.register(file)
        }
        return try store.allFiles()
    }
}

// MARK: - The n-th step fails

extension CheckpointStoreTests {
    @Test(arguments: [SQLITE_FULL, SQLITE_IOERR, SQLITE_BUSY, SQLITE_READONLY])
    func `whichever step fails, the store holds the old value or the new one`(
        code: Int32
    ) throws {
        var file = sample(path: "/a")
        file.id = try CheckpointStore(path: path).register(file)
        var step = 1
        while true {
            let previous = try #require(try CheckpointStore(path: path).allFiles().first)
            file.checkpoint.offset = previous.checkpoint.offset + 10
            let failure = Failure(at: step, code: code)
            let outcome = Result { try saveOnce(file, failure) }
            let now = try #require(try CheckpointStore(path: path).allFiles().first)
            let isSaved = now.checkpoint.offset == file.checkpoint.offset
            #expect(isSaved || now.checkpoint.offset == previous.checkpoint.offset)
            if case .success = outcome { #expect(isSaved, "step \(step) was swallowed") }
            if !failure.hasHappened { break }
            step += 1
        }
        #expect(step > 8)
    }

    @Test func `whichever step of the making fails, the next start makes it whole`() throws {
        for step in 1...60 {
            let path = directory.file("new-\(step).db")
            let failure = Failure(at: step, code: SQLITE_FULL)
            do throws(CheckpointError) {
                _ = try CheckpointStore(path: path, beforeStep: failure.hook)
                if !failure.hasHappened { return }
            } catch {
                #expect(error.kind == .diskFull && error.isRetryable)
            }
            let store = try CheckpointStore(path: path)
            _ = try store.register(sample(path: "/a"))
        }
        Issue.record("opening has no end")
    }

    @Test func `a store goes on once the disk has room again`() throws {
        let isFull = Mutex(false)
        let store = try CheckpointStore(path: path) { _ in
            isFull.withLock { $0 } ? SQLITE_FULL : nil
        }
        var file = sample(path: "/a")
        file.id = try store.register(file)
        file.checkpoint.offset = 4
        isFull.withLock { $0 = true }
        let error = #expect(throws: CheckpointError.self) { try store.save([file]) }
        #expect(error?.kind == .diskFull)
        isFull.withLock { $0 = false }
        try store.save([file])
        #expect(try store.allFiles().map(\.checkpoint.offset) == [4])
    }

    private func saveOnce(_ file: FileCheckpoint, _ failure: Failure) throws {
        let store = try CheckpointStore(path: path, beforeStep: failure.hook)
        try store.save([file])
    }
}
