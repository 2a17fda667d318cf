import Checkpointing
import Kafka
import Testing

@testable import Shipping

/// Others of the same kind: what happens while Kafka is away, and names that change places.
extension ScenarioTests {
    @Test(arguments: ["\"*.log\"", "\"a.log*\""], [false, true])
    func `37 to 41, while Kafka is away: all rotated files are read in their order`(
        glob: String,
        isKilled: Bool
    ) throws {
        let it = try Scenario(glob, keeping: .database)
        it.limitMemory()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kafka.isPaused = true
        for round in 1...4 {
            it.append("a.log", numbered((round * 10_000)..<(round * 10_000 + 3000)))
            it.pass(.milliseconds(10))
            for number in (1..<round).reversed() {
                it.rename("a.log.\(number)", "a.log.\(number + 1)")
            }
            it.rename("a.log", "a.log.1")
            it.write("a.log", "")
            it.pass(.seconds(20))
        }
        if isKilled {
            it.kill()
            try it.begin()
        }
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        if !isKilled { #expect(it.values.count == 12_010) }
        for round in 1...4 {
            let values = it.firstValues.filter { (Int($0) ?? 0) / 10_000 == round }
            #expect(values == numbers((round * 10_000)..<(round * 10_000 + 3000)))
        }
    }

    @Test func `a file seen empty, then written and rotated out of the glob at once, is read`()
        throws
    {
        let it = try Scenario()
        it.write("a.log", "")
        try it.start()
        it.append("a.log", numbered(0..<10))
        it.rename("a.log", "a.log.1")
        it.pass(.seconds(60))
        #expect(it.values == numbers(0..<10))
    }

    @Test func `a file outside the glob that has the inode of an empty one is another file`() throws
    {
        let it = try Scenario()
        it.write("a.log", "")
        try it.start()
        it.remove("a.log")
        it.write("b.txt", numbered(0..<10))
        it.pass(.seconds(60))
        #expect(it.values.isEmpty)
    }

    @Test func `a saved file goes on under its name, not in another that begins alike`() throws {
        let it = try Scenario()
        it.write("a.log", "1")
        try it.start()
        it.append("a.log", "60\n")
        it.write("other.log", "145\n")
        it.copy("a.log", "a.log.new")
        it.append("a.log.new", "161\n")
        it.rename("a.log.new", "a.log")
        it.pass(.seconds(60))
        #expect(it.values.sorted() == ["145", "160", "161"])
    }

    @Test(arguments: [false, true])
    func `a line that takes the place of one that was sent in part is sent as a whole`(
        isExact: Bool
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = isExact
        try it.edit(
            "send {",
            to: "send { topic = \"u\" key = null partition = 0 value = @raw }\nsend {"
        )
        // Room for one batch: the second record of a line waits for the first one's answer.
        it.limits.configuration.batchSize = 512
        it.limits.configuration.bufferMemory = 512
        it.write("a.log", "0\n")
        try it.start()
        it.kafka.isPaused = true
        it.append("a.log", "a\n")
        it.pass()
        it.truncate("a.log", to: 2)
        it.append("a.log", "b\n")
        it.pass()
        it.kafka.isPaused = false
        it.pass()
        let log = it.kafka.entries.map { "\($0.partition) \($0.value)" }
        #expect(log.sorted() == ["t-0 0", "t-0 b", "u-0 0", "u-0 a", "u-0 b"])
    }

    @Test(arguments: [false, true])
    func `a line in the place of one that was sent before a kill is sent after the next end too`(
        isKilled: Bool
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in .unanswered }
        it.write("a.log", numbered(0..<3))
        try it.start()
        it.kill()
        it.kafka.fate = { _ in .acknowledged }
        it.kafka.isPaused = true
        try it.start()
        it.truncate("a.log", to: 4)
        it.append("a.log", "3\n")
        it.kafka.isPaused = false
        it.run { it.said("a file was rewritten behind the place") }
        #expect(it.values == numbers(0..<3))
        if isKilled { it.kill() } else { it.stop() }
        try it.start()
        #expect(it.values == numbers(0..<4))
    }

    @Test func `40, while Kafka is away: lines that come after rotate_wait are read`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kafka.isPaused = true
        it.rename("a.log", "a.log.1")
        it.append("a.log.1", numbered(10..<20))
        it.pass(.seconds(60))
        it.append("a.log.1", numbered(20..<30))
        it.remove("a.log.1")
        it.pass(.seconds(60))
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        #expect(it.values == numbers(0..<30))
        #expect(it.openFiles.isEmpty)
    }

    @Test func `43, while Kafka is away: a deleted file is drained later`() throws {
        let it = try Scenario()
        it.limitMemory()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kafka.isPaused = true
        it.append("a.log", numbered(10..<9000))
        it.remove("a.log")
        it.pass(.seconds(60))
        it.write("a.log", numbered(9000..<9010))
        it.pass(.seconds(60))
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        #expect(it.values == numbers(0..<9010))
        #expect(it.openFiles == ["a.log"])
    }

    @Test(arguments: [0, 30])
    func `46, while Kafka is away: what was not read is taken from the copy`(wait: Int) throws {
        let it = try Scenario("\"a.log*\"")
        it.limitMemory()
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kafka.isPaused = true
        it.append("a.log", numbered(10..<9000))
        it.pass(.seconds(wait))
        it.copy("a.log", "a.log.1")
        it.pass(.milliseconds(wait))
        it.truncate("a.log")
        it.append("a.log", numbered(9000..<9010))
        it.pass(.seconds(60))
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        #expect(it.values.sorted() == numbers(0..<9010).sorted())
    }

    @Test func `22, while Kafka is away: thirty targets under one link`() throws {
        let it = try Scenario("\"current.log\"")
        it.limitMemory()
        it.mkdir("targets")
        try it.start()
        it.kafka.isPaused = true
        for round in 0..<30 {
            it.write("targets/\(round)", numbered((round * 100)..<(round * 100 + 100)))
            it.link("current.log", to: "targets/\(round)")
            it.pass(.seconds(10))
        }
        it.kafka.isPaused = false
        it.pass(.seconds(60))
        #expect(it.values == numbers(0..<3000))
    }

    @Test func `two files that change names are still themselves`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<5))
        it.write("b.log", numbered(5..<10))
        try it.start()
        it.rename("a.log", "c.log")
        it.rename("b.log", "a.log")
        it.rename("c.log", "b.log")
        it.append("a.log", "10\n")
        it.append("b.log", "11\n")
        it.pass(.seconds(10))
        try it.restart()
        it.pass(.seconds(10))
        #expect(it.values.sorted() == numbers(0..<12).sorted())
    }

    @Test func `a file moved over another takes its place`() throws {
        let it = try Scenario()
        it.write("a.log", numbered(0..<5))
        it.write("b.log", numbered(5..<10))
        try it.start()
        it.append("a.log", "10\n")
        it.rename("b.log", "a.log")
        it.append("a.log", "11\n")
        it.pass(.seconds(10))
        #expect(it.values.sorted() == numbers(0..<12).sorted())
        #expect(it.openFiles == ["a.log"])
    }

    @Test func `a file moved away and back goes on`() throws {
        let it = try Scenario()
        it.mkdir("away")
        it.write("a.log", numbered(0..<5))
        try it.start()
        for round in 0..<3 {
            it.rename("a.log", "away/a")
            it.pass(.seconds([0, 2, 30][round]))
            it.append("away/a", "\(5 + round)\n")
            it.rename("away/a", "a.log")
            it.pass(.seconds(1))
        }
        #expect(it.values == numbers(0..<8))
    }

    @Test func `a directory that gets another name takes its files along`() throws {
        let it = try Scenario("\"in*/*.log\"")
        it.mkdir("in1")
        it.write("in1/a.log", numbered(0..<5))
        try it.start()
        it.append("in1/a.log", "5\n")
        it.rename("in1", "in2")
        it.append("in2/a.log", "6\n")
        it.pass(.seconds(10))
        it.append("in2/a.log", "7\n")
        it.pass(.seconds(10))
        try it.restart()
        #expect(it.values == numbers(0..<8))
    }

    @Test func `the unterminated end of a rotated file is a record once it is over`() throws {
        let it = try Scenario()
        it.write("a.log", "1\nhalf")
        try it.start()
        it.rename("a.log", "a.log.1")
        it.write("a.log", "2\n")
        it.pass(.seconds(30))
        #expect(it.values.sorted() == ["1", "2", "half"])
    }

    @Test func `an unterminated line survives a stop, a rename and a kill`() throws {
        let it = try Scenario("\"a.log*\"", keeping: .database)
        it.write("a.log", "1\nhalf")
        try it.start()
        it.stop()
        it.rename("a.log", "a.log.1")
        it.append("a.log.1", " and")
        try it.start()
        it.kill()
        it.append("a.log.1", " half\n")
        try it.start()
        #expect(it.values == ["1", "half and half"])
    }

    @Test func `a renamed file keeps the path that its records are made with`() throws {
        let it = try Scenario("\"a.log*\"", keeping: .database)
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.rename("a.log", "a.log.1")
        it.append("a.log.1", numbered(10..<20))
        it.pass()
        it.kill()
        it.rename("a.log.1", "a.log.2")
        it.append("a.log.2", numbered(20..<30))
        try it.start()
        #expect(it.values(of: "a.log") == numbers(0..<30))
    }

    @Test func `a file deleted and made again while it was closed is read from its start`() throws {
        let it = try Scenario("\"*.log\"", "close_inactive = 2s")
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.pass(.seconds(20))
        it.remove("a.log")
        it.write("a.log", numbered(10..<30))
        it.pass(.seconds(20))
        #expect(it.values == numbers(0..<30))
    }

    @Test(arguments: [true, false])
    func `a file rewritten in place at its size is read again`(usesEvents: Bool) throws {
        let it = try Scenario()
        it.limits.usesEvents = usesEvents
        it.write("a.log", numbered(10..<20))
        try it.start()
        it.pass(.seconds(30))
        it.write("a.log", numbered(20..<30))
        it.pass(.seconds(30))
        #expect(it.values == numbers(10..<30))
    }
}
