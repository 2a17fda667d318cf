import Testing

@testable import Kafka

@Suite struct RecordOriginTests {
    @Test func `a run ends where records find their partition in another way`() throws {
        let lane = Lane(partitions: 1)
        for (number, key) in ["k", "k", nil, nil, "k"].enumerated() {
            #expect(lane.append(key: key, source: 1, at: Int64(number)) == .appended)
        }
        let runs = try lane.flushed().runs
        #expect(runs.map(\.count) == [2, 2, 1])
        #expect(runs.map { $0.routing.signum() } == [1, -1, 1])
        #expect(runs[0].routing == 1)
    }

    @Test func `two stints of the sticky partitioner at one partition are two runs`() throws {
        let lane = Lane(partitions: 1)
        #expect(lane.append(source: 1, at: 0) == .appended)
        let leaders = [TopicMetadata.Partition(leaderID: 1)]
        lane.accumulator.update(metadata: TopicMetadata(name: "t", partitions: leaders))
        #expect(lane.append(source: 1, at: 1) == .appended)
        let runs = try lane.flushed().runs
        #expect(runs.map(\.count) == [1, 1])
        #expect(runs[0].routing < 0)
        #expect(runs[1].routing == runs[0].routing - 1)
    }

    @Test func `a keyed record's run says how many partitions its topic had`() throws {
        let lane = Lane(partitions: 1)
        #expect(lane.append(key: "k", source: 1, at: 0) == .appended)
        #expect(try lane.flushed().runs.map(\.routing) == [1])
        let leaders = Array(repeating: TopicMetadata.Partition(leaderID: 1), count: 7)
        lane.accumulator.update(metadata: TopicMetadata(name: "t", partitions: leaders))
        #expect(lane.append(key: "k", source: 1, at: 1) == .appended)
        #expect(try lane.flushed().runs.map(\.routing) == [7])
    }

    @Test func `an answer is a run of its own, wherever it comes`() throws {
        let lane = Lane(partitions: 1)
        for (position, isAnswer) in [(0, false), (0, true), (1, true), (2, false), (3, false)] {
            let position = Int64(position)
            #expect(
                lane.append(key: "k", source: 1, at: position, isAnswer: isAnswer) == .appended
            )
        }
        let batch = try lane.flushed()
        #expect(batch.runs.map(\.count) == [1, 1, 1, 2])
        #expect(batch.runs.map(\.routing) == [1, 0, 0, 1])
    }

    @Test func `a run ends before a position of which the distance does not fit`() throws {
        let lane = Lane(partitions: 1)
        let far: Int64 = 1 << 32
        for position in [0, far - 1, far] {
            #expect(lane.append(key: "k", source: 1, at: position) == .appended)
        }
        let batch = try lane.flushed()
        #expect(batch.runs.map(\.firstPosition) == [0, far])
        #expect(batch.runs.map(\.lastPosition) == [far - 1, far])
        #expect((0..<3).map { batch.position(ofRecord: $0) } == [0, far - 1, far])
    }

    @Test func `the first record in a row of one file says where it is from`() throws {
        let lane = Lane(partitions: 1)
        #expect(lane.append(key: "k", source: 12, at: 81_920 << 12) == .appended)
        #expect(lane.append(key: "k", source: 12, at: 81_920 << 12 | 1) == .appended)
        #expect(lane.append(key: "k", source: 3, at: 0) == .appended)
        #expect(lane.append(key: "k", source: 12, at: (1 << 51 - 1) << 12 | 4095) == .appended)
        let expected = [
            "5f3a/12/0/81920+0", nil, "5f3a/3/0/0+0", "5f3a/12/0/2251799813685247+4095",
        ]
        #expect(try positionHeaders(of: lane.flushed()) == expected)
        #expect(lane.append(key: "k", source: 12, at: 7 << 12) == .appended)
        #expect(try positionHeaders(of: lane.flushed()) == ["5f3a/12/0/7+0"])
    }

    @Test func `a record out of turn says where it is from, and so does the next`() throws {
        let lane = Lane(partitions: 1)
        #expect(lane.append(key: "k", source: 1, at: 9 << 12) == .appended)
        #expect(lane.append(key: "k", source: 1, at: 4 << 12, isAnswer: true) == .appended)
        #expect(lane.append(key: "k", source: 1, at: 10 << 12) == .appended)
        #expect(lane.append(key: "k", source: 1, at: 0) == .appended)
        let expected = ["5f3a/1/0/9+0", "5f3a/1/0/4+0", "5f3a/1/0/10+0", "5f3a/1/0/0+0"]
        #expect(try positionHeaders(of: lane.flushed()) == expected)
    }

    @Test func `a record without a key says where it is from when the partitioner comes back`()
        throws
    {
        let lane = Lane(partitions: 1)
        #expect(lane.append(source: 1, at: 0) == .appended)
        #expect(lane.append(source: 1, at: 1 << 12) == .appended)
        let more = [TopicMetadata.Partition(leaderID: 1)]
        lane.accumulator.update(metadata: TopicMetadata(name: "t", partitions: more))
        // A change of metadata lets the partitioner leave, and it comes back to the only partition.
        #expect(lane.append(source: 1, at: 2 << 12) == .appended)
        #expect(lane.append(source: 1, at: 3 << 12) == .appended)
        let expected = ["5f3a/1/0/0+0", nil, "5f3a/1/0/2+0", nil]
        #expect(try positionHeaders(of: lane.flushed()) == expected)
    }

    @Test func `in a batch that is made again each run says where it is from`() throws {
        let configuration = KafkaProducerConfiguration(bootstrapServers: ["b:9092"])
        var batch = RemadeBatch(topic: "t", partition: 0)
        let prefix = Array("5f3a/1/0/".utf8)
        try prefix.withUnsafeBytes { prefix in
            let header = PositionHeader(source: 1, prefix: prefix)
            for (place, beginsRun) in [(9, true), (10, false), (4, true), (11, true)] {
                batch.append(
                    key: nil,
                    value: nil,
                    headers: UnsafeBufferPointer(start: nil, count: 0),
                    timestamp: 0,
                    origin: RecordOrigin(owner: 0, position: Int64(place) << 12, header: header),
                    beginsRun: beginsRun
                )
            }
            let sealed = try batch.seal(configuration, now: .now)
            let expected = ["5f3a/1/0/9+0", nil, "5f3a/1/0/4+0", "5f3a/1/0/11+0"]
            #expect(try positionHeaders(of: sealed) == expected)
        }
    }

    @Test func `a record's limit counts the header that it may get`() throws {
        let lane = Lane(partitions: 1)
        let limit = lane.accumulator.configuration.maxRequestSize
        let bare = String(repeating: "x", count: limit - 61 - 41)
        #expect(lane.append(bare) == .appended)
        let header = 10 + 17 + "5f3a/1/0/".utf8.count + 21
        #expect(
            lane.append(bare, source: 1, at: 0) == .tooLarge(size: limit + header, limit: limit)
        )
    }

    @Test func `the runs of a piece end where records are missing`() throws {
        let lane = Lane(partitions: 1)
        for number in 0..<6 {
            #expect(lane.append(key: "k", source: 1, at: Int64(number) << 12) == .appended)
        }
        let whole = try lane.flushed()
        #expect(!whole.isPiece)
        let piece = try #require(whole.piece(records: [1, 2, 4]))
        #expect(piece.isPiece)
        #expect(piece.runs.map(\.count) == [2, 1])
        #expect(piece.runs.map(\.firstPosition) == [1 << 12, 4 << 12])
        #expect(piece.runs.map(\.routing) == [1, 1])
        #expect(try positionHeaders(of: piece) == ["5f3a/1/0/1+0", nil, "5f3a/1/0/4+0"])
    }

    @Test func `records without a place get none in a piece`() throws {
        let batch = try makeBatch(["a", "b", "c"])
        let piece = try #require(batch.piece(records: [0, 2]))
        #expect(try positionHeaders(of: piece) == [nil, nil])
    }
}
