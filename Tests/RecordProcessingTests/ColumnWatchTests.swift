import Testing

@testable import RecordProcessing

struct ColumnWatchTests {
    private func bench() throws -> Bench {
        try Bench.value(
            "json(*)",
            parse: "parse json {\n  id: int\n  fileds: int?\n  note: string?\n}"
        )
    }

    /// What is told after so many lines, each of which is a record.
    private func told(_ bench: Bench, _ line: String, times: Int) -> [[String]] {
        (0..<times).map { _ in
            _ = bench.run(line)
            return bench.processor.watchColumns()
        }
    }

    @Test func `an optional column that the first 10,000 records lack is told of, once`() throws {
        let bench = try bench()
        let before = told(bench, #"{"id":1,"note":null}"#, times: 9_999)
        #expect(before.allSatisfy { $0.isEmpty })
        #expect(told(bench, #"{"id":1}"#, times: 3) == [["fileds"], [], []])
    }

    @Test func `what one of them had is in order`() throws {
        let bench = try bench()
        var before = told(bench, #"{"id":1}"#, times: 9_998)
        before += told(bench, #"{"id":1,"fileds":2,"note":"x"}"#, times: 1)
        before += told(bench, #"{"id":1}"#, times: 10_000)
        #expect(before.allSatisfy { $0.isEmpty })
    }

    @Test func `a line that is tried again is no other record`() throws {
        let bench = try bench()
        for _ in 0..<20_000 { _ = bench.run(#"{"id":1}"#) }
        #expect(told(bench, #"{"id":1}"#, times: 9_999).allSatisfy { $0.isEmpty })
        #expect(told(bench, #"{"id":1}"#, times: 1) == [["fileds", "note"]])
    }
}
