import CSQLite
import Testing

@testable import Checkpointing

struct PendingTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("checkpoints.db") }

    @Test func `pending checkpoints survive a restart beside the files' own`() throws {
        var pending = try keep(offset: 50)
        let store = try CheckpointStore(path: path)
        let found = try store.pending()
        #expect(found.map(\.withoutTimes) == [pending.withoutTimes])
        #expect(try store.allFiles().map(\.checkpoint.offset) == [0])
        pending.transactionalID = "another"
        try store.keepPending(pending)
        #expect(try store.pending().map(\.transactionalID) == ["another", "t"])
    }

    @Test func `they become the files' own when the transaction is committed`() throws {
        let pending = try keep(offset: 50)
        let store = try CheckpointStore(path: path)
        let counter = CounterName("lines", of: "web")
        try store.commitPending("t", adding: [counter: 3])
        #expect(try store.pending() == [])
        #expect(try store.allFiles().map(\.withoutTime) == pending.files.map(\.withoutTime))
        #expect(try store.counters() == [counter: 3])
        try store.keepPending(pending)
    }

    @Test func `they are forgotten when it is aborted`() throws {
        let pending = try keep(offset: 50)
        let store = try CheckpointStore(path: path)
        try store.dropPending("t")
        #expect(try store.pending() == [])
        #expect(try store.allFiles().map(\.checkpoint.offset) == [0])
        try store.keepPending(pending)
    }

    @Test func `none are lost because others of the same transactional id come`() throws {
        var pending = try keep(offset: 50)
        pending.files[0].checkpoint.offset = 90
        let store = try CheckpointStore(path: path)
        let error = #expect(throws: CheckpointError.self) { try store.keepPending(pending) }
        #expect(error?.message.contains("'t' are pending") == true)
        #expect(try store.pending().first?.files.map(\.checkpoint.offset) == [50])
    }

    @Test func `a file that was forgotten meanwhile is passed over`() throws {
        let pending = try keep(offset: 50)
        let store = try CheckpointStore(path: path)
        try store.forget(pending.files.map(\.id))
        try store.commitPending("t")
        #expect(try store.allFiles() == [])
        #expect(try store.pending() == [])
    }

    @Test(arguments: [SQLITE_FULL, SQLITE_IOERR])
    func `whichever step of the end fails, it is pending or committed`(code: Int32) throws {
        _ = try keep(offset: 50)
        let failure = Failure(code: code)
        let store = try CheckpointStore(path: path, beforeStep: failure.hook)
        for step in 1...40 {
            failure.arm(at: step)
            let outcome = Result { try store.commitPending("t") }
            let hasHappened = failure.hasHappened
            failure.arm(at: .max)
            let isPending = try store.pending().count == 1
            #expect(try store.allFiles().map(\.checkpoint.offset) == [isPending ? 0 : 50])
            if case .success = outcome { #expect(!isPending) }
            if !hasHappened { return #expect(step > 5) }
            #expect(isPending, "step \(step)")
        }
        Issue.record("an end has no end")
    }

    private func keep(offset: Int64) throws -> PendingCheckpoints {
        let store = try CheckpointStore(path: path)
        var file = sample(path: "/a")
        file.id = try store.register(file)
        file.checkpoint = Checkpoint(offset: offset, line: 5, framerState: 1, guardBytes: [1, 2])
        let pending = PendingCheckpoints(
            transactionalID: "t",
            producerID: 1 << 40,
            epoch: 7,
            files: [file]
        )
        try store.keepPending(pending)
        return pending
    }
}

extension PendingCheckpoints {
    fileprivate var withoutTimes: PendingCheckpoints {
        var copy = self
        for index in files.indices { copy.files[index].updatedAt = 0 }
        return copy
    }
}
