import Checkpointing
import Testing

@testable import Shipping

/// C, continued: files whose bytes go.
extension ScenarioTests {
    @Test(arguments: ["\"*.log\"", "\"a.log*\""])
    func `46: copytruncate loses and repeats nothing that was read before`(glob: String) throws {
        let it = try Scenario(glob)
        let writer = it.writer("a.log")
        try it.start()
        for round in 0..<20 {
            writer.append(numbered((round * 100)..<(round * 100 + 60)))
            it.pass(.milliseconds(50))
            writer.append(numbered((round * 100 + 60)..<(round * 100 + 100)))
            it.pass(.milliseconds(50))
            it.copy("a.log", "a.log.1")
            it.pass(.milliseconds(20))
            it.truncate("a.log")
            if round % 2 == 0 { it.pass(.milliseconds(50)) }
        }
        it.pass(.seconds(30))
        #expect(it.values == numbers(0..<2000))
    }

    @Test(arguments: [0, 1, 5, 20])
    func `46: copytruncate repeats nothing where lines come between copy and truncation`(
        milliseconds: Int
    ) throws {
        let it = try Scenario("\"a.log*\"")
        let writer = it.writer("a.log")
        try it.start()
        var gone: Set<String> = []
        for round in 0..<20 {
            let first = round * 100
            writer.append(numbered(first..<(first + 50)))
            it.pass(.milliseconds(milliseconds))
            writer.append(numbered((first + 50)..<(first + 90)))
            if round % 3 == 0 { it.pass(.milliseconds(milliseconds)) }
            for older in stride(from: round, to: 0, by: -1) {
                it.rename("a.log.\(older)", "a.log.\(older + 1)")
            }
            it.copy("a.log", "a.log.1")
            if round % 4 < 2 { it.pass(.milliseconds(1)) }
            writer.append(numbered((first + 90)..<(first + 100)))
            gone.formUnion(numbers((first + 90)..<(first + 100)))
            it.pass(.milliseconds(milliseconds))
            it.truncate("a.log")
            if round % 2 == 0 { it.pass(.milliseconds(milliseconds)) }
        }
        it.pass(.seconds(30))
        #expect(it.values == it.firstValues)
        let wanted = numbers(0..<2000).filter { !gone.contains($0) }
        #expect(it.values.filter { !gone.contains($0) } == wanted)
    }

    @Test(arguments: [0, 1, 10, 100], [0, 1, 10, 100])
    func `46: a copy of what was never read is read, though its original is truncated twice`(
        before: Int,
        after: Int
    ) throws {
        let it = try Scenario("\"a.log*\"")
        it.limitMemory()
        it.kafka.isPaused = true
        it.write("a.log", numbered(0..<5000))
        try it.start()
        // The new file waits until this one is read.
        it.rename("a.log", "a.log.2")
        it.write("a.log", numbered(5000..<5010))
        it.pass(.milliseconds(300))
        it.copy("a.log", "a.log.1")
        it.pass(.milliseconds(100))
        it.truncate("a.log")
        it.pass(.milliseconds(before))
        it.append("a.log", numbered(5010..<5100))
        it.pass(.milliseconds(after))
        it.kafka.isPaused = false
        it.pass(.milliseconds(300))
        it.truncate("a.log")
        it.pass(.seconds(30))
        #expect(it.values.sorted() == numbers(0..<5100).sorted())
    }

    @Test func `47: a file that grew past its place anew is new, though lines end alike`() throws {
        func lines(_ range: Range<Int>) -> String {
            range.map { "\($0)" + String(repeating: ".", count: 100) + "\n" }.joined()
        }
        let it = try Scenario(keeping: .database)
        it.write("a.log", lines(100..<200))
        try it.start()
        it.stop()
        it.write("a.log", lines(200..<500))
        try it.start()
        it.pass(.seconds(30))
        #expect(it.values.map { $0.prefix(3) } == numbers(100..<500).map { $0.prefix(3) })
    }

    @Test(arguments: [false, true])
    func `47: copytruncate while it was stopped leaves the new lines, and a copy's rest`(
        isCopyInGlob: Bool
    ) throws {
        let it = try Scenario(isCopyInGlob ? "\"a.log*\"" : "\"*.log\"")
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.stop()
        it.append("a.log", numbered(10..<20))
        it.copy("a.log", "a.log.1")
        it.truncate("a.log")
        it.append("a.log", numbered(20..<25))
        try it.start()
        it.pass(.seconds(30))
        let wanted = numbers(0..<10) + (isCopyInGlob ? numbers(10..<20) : []) + numbers(20..<25)
        #expect(it.values.sorted() == wanted.sorted())
        #expect(it.records.first { $0.value == "20" }?.offset == 0)
    }

    @Test func `48: a file truncated and begun with the same line is read from its start`() throws {
        let it = try Scenario()
        it.write("a.log", "header\n" + numbered(0..<10))
        try it.start()
        it.truncate("a.log")
        it.append("a.log", "header\n" + numbered(10..<12))
        it.pass(.seconds(10))
        #expect(it.values == ["header"] + numbers(0..<10) + ["header", "10", "11"])
        #expect(try it.counter(.truncations) == 1)
        it.write("a.log", "header\n" + numbered(20..<60))
        it.pass(.seconds(10))
        #expect(it.values.suffix(41) == (["header"] + numbers(20..<60))[...])
    }

    @Test func `49: a file that lost a few bytes is a new generation, read from its start`() throws
    {
        let it = try Scenario()
        it.write("a.log", numbered(0..<5))
        try it.start()
        it.truncate("a.log", to: 6)
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<5) + numbers(0..<3))
        #expect(try it.counter(.truncations) == 1)
        #expect(try it.counter(.abandonedByTruncation) == 0)
        let last = try #require(try it.checkpoints().last)
        #expect(last.generation == 1)
        #expect(last.checkpoint.offset == 6)
    }

    enum Standing: CaseIterable { case open, closed, blocked }

    @Test(arguments: Standing.allCases)
    func `50: a truncated file is read from its start, open, closed or while Kafka is away`(
        standing: Standing
    ) throws {
        let it = try Scenario("\"*.log\"", "close_inactive = 2s")
        it.limitMemory()
        it.write("a.log", (0..<4000).map { "old \($0)\n" }.joined())
        try it.begin()
        if standing == .blocked { it.run { it.values.count >= 500 } }
        it.kafka.isPaused = standing == .blocked
        it.pass(standing == .closed ? .seconds(10) : .seconds(1))
        #expect(it.openFiles == (standing == .closed ? [] : ["a.log"]))
        it.truncate("a.log")
        if standing == .blocked { it.pass(.seconds(10)) }
        it.append("a.log", numbered(0..<10))
        it.pass(.seconds(10))
        it.kafka.isPaused = false
        it.pass(.seconds(10))
        let old = it.values.dropLast(10)
        #expect(it.values.suffix(10) == numbers(0..<10)[...])
        #expect(Array(old) == (0..<old.count).map { "old \($0)" })
        let gone = try it.counter(.abandonedByTruncation)
        let size = (0..<4000).reduce(0) { $0 + "old \($1)\n".utf8.count }
        let read = old.reduce(0) { $0 + $1.utf8.count + 1 }
        #expect(gone == Int64(size - read))
        #expect((gone > 0) == (standing == .blocked))
    }
}
