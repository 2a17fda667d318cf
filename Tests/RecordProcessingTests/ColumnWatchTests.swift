import Testing

@testable import RecordProcessing

struct ColumnWatchTests {
    private func bench() throws -> Bench {
        try Bench.value(
            "json(*)",
            parse: "parse json {\n  id: int\n  fileds: int?\n  note: string?\n}"
        )
    }

    @Test func `an optional column that the first 10,000 records lack is told of, once`() throws {
        let bench = try bench()
        for _ in 1..<RecordProcessor.columnWatchLength {
            #expect(bench.run(#"{"id":1,"note":null}"#).hasPrefix("{"))
            #expect(bench.processor.columnsNeverSeen.isEmpty)
        }
        _ = bench.run(#"{"id":1}"#)
        #expect(bench.processor.takeColumnsNeverSeen() == ["fileds"])
        _ = bench.run(#"{"id":1}"#)
        #expect(bench.processor.columnsNeverSeen.isEmpty)
    }

    @Test func `what one of them had is in order, and lines that are none do not count`() throws {
        let bench = try bench()
        for number in 0..<(2 * RecordProcessor.columnWatchLength) {
            _ = bench.run("no JSON")
            _ = bench.run(number == 9_999 ? #"{"id":1,"fileds":2,"note":"x"}"# : #"{"id":1}"#)
            #expect(bench.processor.columnsNeverSeen.isEmpty)
        }
    }
}
