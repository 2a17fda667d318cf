import Checkpointing
import Synchronization
import Testing

@testable import Shipping

/// What is saved during a transaction, and when it is written.
struct GatheredCheckpointsTests {
    private final class Store: CheckpointKeeping, PendingKeeping {
        struct State {
            var rows: [Int64: FileCheckpoint] = [:]
            var counts: [CounterName: Int64] = [:]
            var pending: PendingCheckpoints?
            var fails = false
        }

        let state = Mutex(State())

        func files(pipeline: String, job: String) throws(CheckpointError) -> [FileCheckpoint] {
            []
        }

        func register(_ files: [FileCheckpoint]) throws(CheckpointError) -> [Int64] { [] }

        func save(
            _ files: [FileCheckpoint],
            adding counts: [CounterName: Int64]
        ) throws(CheckpointError) {
            try refuse()
            state.withLock { state in
                for file in files { state.rows[file.id] = file }
                state.counts.merge(counts, uniquingKeysWith: +)
            }
        }

        func forgetGone(before: Int64, keeping: Int) throws(CheckpointError) -> [Int64] { [1] }

        func pending() throws(CheckpointError) -> [PendingCheckpoints] { [] }

        func keepPending(_ pending: PendingCheckpoints) throws(CheckpointError) {
            try refuse()
            state.withLock { $0.pending = pending }
        }

        func commitPending(
            _ transactionalID: String,
            adding counts: [CounterName: Int64]
        ) throws(CheckpointError) {
            let files = state.withLock { exchange(&$0.pending, with: nil)?.files ?? [] }
            try save(files, adding: counts)
        }

        func dropPending(_ transactionalID: String) throws(CheckpointError) {
            state.withLock { $0.pending = nil }
        }

        var offsets: [Int64: Int64] { state.withLock { $0.rows.mapValues(\.checkpoint.offset) } }
        var pendingOffsets: [Int64]? {
            state.withLock { $0.pending?.files.map(\.checkpoint.offset) }
        }

        private func refuse() throws(CheckpointError) {
            if state.withLock({ $0.fails }) { throw CheckpointError(.failed, "full") }
        }
    }

    private final class Count: Sendable {
        let value = Atomic(0)
    }

    private let store = Store()
    private let counter = CounterName("lines", of: "web")

    private func row(_ id: Int64, at offset: Int64) -> FileCheckpoint {
        var row = FileCheckpoint(pipeline: "web", path: "/\(id)", device: 1, inode: 1)
        row.id = id
        row.checkpoint.offset = offset
        return row
    }

    @Test func `nothing is written before the end, and then the last of each file`() throws {
        let gathered = GatheredCheckpoints(store) {}
        try gathered.save([row(1, at: 10), row(2, at: 5)], adding: [counter: 1])
        try gathered.save([row(1, at: 20)], adding: [counter: 2])
        #expect(store.offsets == [:])
        let pending = try gathered.keepPending("t", producerID: 7, epoch: 2)
        #expect(pending.files.map(\.checkpoint.offset) == [20, 5])
        #expect((pending.producerID, pending.epoch) == (7, 2))
        #expect(store.offsets == [:])
        try gathered.commitPending("t")
        #expect(store.offsets == [1: 20, 2: 5])
        #expect(store.state.withLock { $0.counts } == [counter: 3])
        #expect(gathered.isEmpty)
    }

    @Test func `what is saved during a commit is for the next one`() throws {
        let gathered = GatheredCheckpoints(store) {}
        try gathered.save([row(1, at: 10)], adding: [:])
        _ = try gathered.keepPending("t", producerID: 7, epoch: 2)
        try gathered.save([row(1, at: 30)], adding: [:])
        try gathered.commitPending("t")
        #expect(store.offsets == [1: 10])
        _ = try gathered.keepPending("t", producerID: 7, epoch: 3)
        #expect(store.pendingOffsets == [30])
    }

    @Test func `what was dropped is written later, unless something newer was saved`() throws {
        let gathered = GatheredCheckpoints(store) {}
        try gathered.save([row(1, at: 10), row(2, at: 10)], adding: [counter: 1])
        _ = try gathered.keepPending("t", producerID: 7, epoch: 2)
        // The lane went back.
        try gathered.save([row(1, at: 4)], adding: [:])
        try gathered.dropPending("t")
        try gathered.write()
        #expect(store.offsets == [1: 4, 2: 10])
        #expect(store.state.withLock { $0.counts } == [counter: 1])
    }

    @Test func `nothing is lost by a disk that refuses`() throws {
        let gathered = GatheredCheckpoints(store) {}
        try gathered.save([row(1, at: 10)], adding: [counter: 1])
        store.state.withLock { $0.fails = true }
        #expect(throws: CheckpointError.self) { try gathered.write() }
        #expect(throws: CheckpointError.self) {
            _ = try gathered.keepPending("t", producerID: 7, epoch: 2)
        }
        store.state.withLock { $0.fails = false }
        _ = try gathered.keepPending("t", producerID: 7, epoch: 2)
        #expect(store.pendingOffsets == [10])
        try gathered.commitPending("t")
        #expect(store.state.withLock { $0.counts } == [counter: 1])
    }

    @Test func `a file that was forgotten meanwhile is not written`() throws {
        let gathered = GatheredCheckpoints(store) {}
        try gathered.save([row(1, at: 10), row(2, at: 5)], adding: [:])
        _ = try gathered.forgetGone(before: 0, keeping: 0)
        try gathered.write()
        #expect(store.offsets == [2: 5])
    }

    @Test func `whoever waits is told of each change, and of nothing else`() throws {
        let count = Count()
        let gathered = GatheredCheckpoints(store) { count.value.add(1, ordering: .relaxed) }
        try gathered.save([], adding: [:])
        #expect(count.value.load(ordering: .relaxed) == 0)
        try gathered.save([row(1, at: 10)], adding: [:])
        try gathered.save([], adding: [counter: 1])
        #expect(count.value.load(ordering: .relaxed) == 2)
    }
}
