import Checkpointing
import Kafka
import Testing

@testable import Shipping

/// What becomes of a batch that the log has and the journal has not.
struct UnjournaledRowsTests {
    private let rows: UnjournaledRows

    init() {
        var file = FileCheckpoint(pipeline: "web", path: "/a.log", device: 1, inode: 2)
        file.id = 12
        file.checkpoint.offset = 100
        rows = UnjournaledRows(
            owner: OwnerID(rawValue: 0xAA),
            Journal(),
            files: [file],
            today: ["web": 1]
        )
    }

    @Test func `a row that the checkpoint has passed was removed, not lost`() {
        let (row, unknown) = found([(0, "12/0/40+0"), (3, "12/0/100+0")])
        #expect(row.stretches.map(\.from) == [RecordPlace(offset: 100)])
        #expect(row.stretches.map(\.count) == [7])
        #expect(unknown == 0)
    }

    @Test func `records of another generation of a file are behind no checkpoint`() {
        let (row, unknown) = found([(0, "12/1/40+0")])
        #expect(row.stretches.map(\.from) == [RecordPlace(offset: 40)])
        #expect(unknown == 0)
    }

    @Test func `records of files that are not known here are counted`() {
        let (row, unknown) = found([(0, "12/0/40+0"), (4, "13/0/200+0")])
        #expect(row.stretches.isEmpty)
        #expect(unknown == 6)
    }

    /// The row of ten records, whose positions begin at some of them.
    private func found(
        _ positions: [(record: Int32, place: String)]
    ) -> (row: JournaledBatch, unknownRecords: Int32) {
        let batch = FetchedBatch(
            baseOffset: 500,
            lastOffset: 509,
            producerID: 7,
            epoch: 0,
            baseSequence: 0,
            positions: positions.map {
                FetchedBatch.Position(record: $0.record, value: "00000000000000aa/\($0.place)")
            }
        )
        return rows.row(
            id: 1,
            of: batch,
            TopicPartition(topic: "t", partition: 0),
            partitionCount: 1,
            wallClock: 0
        )
    }
}
