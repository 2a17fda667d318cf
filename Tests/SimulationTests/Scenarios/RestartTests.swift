import Checkpointing
import Kafka
import KafkaProtocol
import Testing

@testable import Shipping

/// E: restarts and kills, with checkpoints in a database.
extension ScenarioTests {
    @Test(arguments: [false, true])
    func `58, 59: what one run has read the next does not read again, also after a rotation`(
        isRotated: Bool
    ) throws {
        let it = try Scenario(keeping: .database)
        it.limitMemory()
        it.write("a.log", numbered(0..<4000))
        try it.begin()
        it.run { it.values.count >= 2000 }
        #expect(it.stop())
        #expect((2000..<4000).contains(it.values.count))
        if isRotated {
            it.rename("a.log", "a.log.1")
            it.write("a.log", numbered(4000..<4010))
        }
        try it.start()
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<(isRotated ? 4010 : 4000)))
    }

    @Test func `60: after a hundred kills at any moment every line is there once, in order`() throws
    {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.limitMemory()
        var generator = SeededGenerator(seed: 60)
        var written = 0
        for _ in 0..<100 {
            let count = Int.random(in: 0...60, using: &generator)
            it.append("a.log", numbered(written..<(written + count)))
            written += count
            try it.begin()
            let steps = Int.random(in: 0...60, using: &generator)
            var done = 0
            it.run {
                done += 1
                return done > steps
            }
            if Bool.random(using: &generator) { it.pass(.milliseconds(300)) }
            it.kill()
        }
        try it.start()
        #expect(it.values == numbers(0..<written))
    }

    @Test(arguments: ["\"*.log\"", "\"a.log*\""])
    func `60: nor does a rotation between the kills change the order of the lines`(
        glob: String
    ) throws {
        let it = try Scenario(glob, keeping: .database)
        it.isExact = true
        it.limitMemory()
        var generator = SeededGenerator(seed: 61)
        var written = 0
        func append() {
            let count = Int.random(in: 0...200, using: &generator)
            it.append("a.log", numbered(written..<(written + count)))
            written += count
        }
        for life in 1...100 {
            append()
            try it.begin()
            it.run(steps: Int.random(in: 0...40, using: &generator))
            if life % 3 == 0 {
                it.rename("a.log", "a.log.\(life)")
                append()
            }
            it.run(steps: Int.random(in: 0...40, using: &generator))
            if Bool.random(using: &generator) { it.pass(.milliseconds(300)) }
            it.kill()
        }
        try it.start()
        it.pass(.seconds(10))
        #expect(it.values == numbers(0..<written))
    }

    @Test(arguments: [SimulatedKafka.Fate.unanswered, .lost])
    func `61: a kill between Kafka's log and the checkpoint loses and repeats nothing`(
        fate: SimulatedKafka.Fate
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in fate }
        it.write("a.log", numbered(0..<10))
        try it.start()
        #expect(it.values == (fate == .lost ? [] : numbers(0..<10)))
        it.kill()
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10))
        it.append("a.log", numbered(10..<20))
        it.pass()
        #expect(it.values == numbers(0..<20))
        it.kill()
        try it.start()
        #expect(it.values == numbers(0..<20))
    }

    @Test func `a copy of what is empty now is known after a kill before the first checkpoint`()
        throws
    {
        let it = try Scenario("\"a.log*\"", keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in .unanswered }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kill()
        it.copy("a.log", "a.log.1")
        it.truncate("a.log")
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10))
    }

    @Test func `records without a key that a kill held up come behind nothing that follows them`()
        throws
    {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        try it.edit("partition = 0", to: "")
        it.kafka.partitionCount = 2
        it.limits.configuration.batchSize = 256
        it.kafka.leaderless = [0]
        it.write("a.log", numbered(0..<100))
        try it.start()
        #expect(it.values.count < 100)
        it.kill()
        it.kafka.leaderless = []
        try it.start()
        #expect(it.values.compactMap { Int($0) }.sorted() == Array(0..<100))
        for partition: Int32 in 0...1 {
            let log = it.kafka.entries.filter { $0.partition.number == partition }
            let lines = log.compactMap { Int($0.value) }
            #expect(lines == lines.sorted())
        }
    }

    @Test(arguments: [SimulatedKafka.Fate.acknowledged, .unanswered, .lost])
    func `a kill after a file went on in a shorter copy repeats nothing`(
        fate: SimulatedKafka.Fate
    ) throws {
        let it = try Scenario("\"a.log*\"", keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in fate }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.copy("a.log", "a.log.1")
        it.append("a.log", numbered(10..<12))
        it.pass()
        it.truncate("a.log")
        it.pass()
        it.kill()
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        it.append("a.log.1", numbered(12..<14))
        it.pass()
        // The bytes of the others are gone.
        let sent = fate == .lost ? numbers(0..<10) : numbers(0..<12)
        #expect(it.values == sent + numbers(12..<14))
        try it.restart()
        #expect(it.values == sent + numbers(12..<14))
    }

    @Test(arguments: [SimulatedKafka.Fate.unanswered, .lost])
    func `what was sent before a kill is made again by the text of that time`(
        fate: SimulatedKafka.Fate
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in fate }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kill()
        it.append("a.log", numbered(10..<12))
        try it.edit("value     = @raw", to: "value     = \"new\"")
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10) + ["new", "new"])
        it.kill()
        try it.start()
        #expect(it.values == numbers(0..<10) + ["new", "new"])
    }

    @Test func `a pipeline that leaves lines out from now on still passes over what was sent`()
        throws
    {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in .unanswered }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kill()
        it.append("a.log", numbered(10..<20))
        try it.edit("send {", to: "drop \"some\" if @line > 3\nsend {")
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10))
        #expect(it.ledger.droppedCount == 10)
    }

    @Test func `what Kafka had acknowledged and then lost is sent again, in its place`() throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.limitMemory()
        it.limits.configuration.batchSize = 256
        // It holds the checkpoint back.
        it.kafka.fate = { $0.valueText == "100" ? .unanswered : .acknowledged }
        it.write("a.log", numbered(100..<400))
        try it.start()
        #expect(it.values == numbers(100..<400))
        it.kill()
        it.kafka.fate = { _ in .acknowledged }
        it.kafka.loseBatches(5)
        let kept = it.values.count
        #expect(kept < 300)
        it.append("a.log", numbered(400..<500))
        // A start that is killed while it does so changes nothing.
        for steps in 0..<40 {
            try it.begin()
            it.run(steps: steps)
            it.kill()
        }
        try it.start()
        it.pass(.seconds(5))
        #expect(it.values == numbers(100..<500))
    }

    @Test func `a checkpoint of what a file has now proves nothing of what it had before`() throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.kafka.fate = { $0.valueText == "new" ? .acknowledged : .lost }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.write("a.log", "new\n")
        it.pass(.seconds(10))
        it.kill()
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        it.pass(.seconds(40))
        #expect(it.said("records that were on their way are not in Kafka"))
        #expect(it.values == ["new"])
    }

    @Test func `what cannot be sent under its numbers goes before what comes after it`() throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.limitMemory()
        it.limits.configuration.batchSize = 256
        it.kafka.fate = { Int($0.valueText) ?? 0 >= 200 ? .lost : .acknowledged }
        it.write("a.log", numbered(100..<300))
        try it.start()
        it.kafka.fate = { _ in .acknowledged }
        it.kafka.givesUpNumbers = true
        it.append("a.log", numbered(300..<400))
        // Also if the process ends before others have taken over the records of a row.
        for steps in 0..<40 {
            it.kill()
            try it.begin()
            it.run(steps: steps)
        }
        it.pass(.seconds(5))
        #expect(it.values == numbers(100..<400))
    }

    @Test func `a kill between a dead letter's row and those of its batch's rest stops no file`()
        throws
    {
        let it = try Scenario(onError: "dead_letter \"dead\"", keeping: .database)
        it.isExact = true
        it.kafka.fate = { _ in .lost }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kill()
        try journalLetter(it, ofLineAt: 8)
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        it.pass(.seconds(5))
        #expect(!it.said("a file is stopped"))
        let dead = it.kafka.entries.filter { $0.partition.topic == "dead" }
        #expect(dead.map(\.value) == ["4"])
        let others = it.kafka.entries.filter { $0.partition.topic == "t" }
        #expect(others.map(\.value) == numbers(0..<4) + numbers(5..<10))
    }

    /// Gives the journal the row of a dead letter for a record of its first batch.
    private func journalLetter(_ it: Scenario, ofLineAt offset: Int64) throws {
        let store = try CheckpointStore(path: it.databasePath)
        var letter = try #require(try store.journal().batches.first)
        letter.id += 1
        letter.topic = "dead"
        letter.recordCount = 1
        letter.stretches[0].routing = .answer
        letter.stretches[0].from = RecordPlace(offset: offset)
        letter.stretches[0].through = RecordPlace(offset: offset)
        letter.stretches[0].count = 1
        var changes = JournalChanges()
        changes.closed = [letter]
        try store.write(changes)
    }

    @Test func `of a record that Kafka refuses the place is told, and no line that nobody counted`()
        throws
    {
        let it = try Scenario(onError: "dead_letter \"dead\"")
        it.kafka.fate = { record in
            record.valueText == "4" && record.header("dlq.kind") == "" ? .refused : .acknowledged
        }
        it.limits.configuration.batchSize = 64
        it.write("a.log", numbered(0..<5))
        try it.start()
        let letter = try #require(it.kafka.entries.last { $0.partition.topic == "dead" })
        #expect(letter.record.headers.contains { $0.name == "dlq.offset" })
        #expect(!letter.record.headers.contains { $0.name == "dlq.line" })
        #expect(it.said("a record failed"))
        #expect(!it.said("line=0"))
    }

    @Test(arguments: [false, true])
    func `62: a kill before Kafka has a record loses nothing`(isExact: Bool) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = isExact
        it.kafka.fate = { _ in .lost }
        it.write("a.log", numbered(0..<10))
        try it.start()
        it.kill()
        #expect(it.values == [])
        #expect(try it.offset(of: "a.log") == 0)
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10))
    }

    @Test(arguments: [SimulatedKafka.Fate.lost, .refused])
    func `63: the checkpoint does not pass a batch that failed, though later ones did not`(
        fate: SimulatedKafka.Fate
    ) throws {
        let it = try Scenario(keeping: .database)
        it.limits.chunkLength = 100
        it.limits.configuration.batchSize = 256
        it.write("a.log", numbered(100..<400))
        it.kafka.fate = { $0.valueText == "150" ? fate : .acknowledged }
        try it.start()
        #expect(it.values.contains("399"))
        let offset = try #require(try it.offset(of: "a.log"))
        #expect((0...200).contains(offset))
        it.stop()
        #expect(try it.offset(of: "a.log") == offset)
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(Set(it.values) == Set(numbers(100..<400)))
        #expect(try it.offset(of: "a.log") == 1200)
    }

    @Test(arguments: [false, true])
    func `64: what was not acknowledged at the stop is read again`(isExact: Bool) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = isExact
        it.write("a.log", numbered(0..<5))
        try it.start()
        it.kafka.fate = { _ in .lost }
        it.append("a.log", numbered(5..<10))
        it.pass()
        #expect(!it.stop())
        #expect(it.values == numbers(0..<5))
        it.kafka.fate = { _ in .acknowledged }
        try it.start()
        #expect(it.values == numbers(0..<10))
    }

    @Test func `70: an event of many lines that was half written at a kill is whole after it`()
        throws
    {
        let settings = "multiline = starts_with('^E')\n  multiline_timeout = 5s"
        let it = try Scenario("\"*.log\"", settings, keeping: .database)
        it.write("a.log", "E1\n  x\nE2\n  y\n  ha")
        try it.start()
        #expect(it.values == ["E1\n  x"])
        it.kill()
        try it.start()
        it.append("a.log", "lf\n  z\nE3\n")
        it.pass(.seconds(10))
        #expect(it.values == ["E1\n  x", "E2\n  y\n  half\n  z", "E3"])
    }

    @Test func `71: a clock that is set back changes nothing`() throws {
        let it = try Scenario(keeping: .database)
        it.write("a.log", numbered(0..<5))
        try it.start()
        it.setClock(by: .seconds(-3600))
        it.append("a.log", numbered(5..<10))
        it.pass(.seconds(60))
        try it.restart()
        it.setClock(by: .seconds(-3600))
        it.append("a.log", numbered(10..<15))
        it.pass(.seconds(60))
        it.kill()
        try it.start()
        #expect(it.values == numbers(0..<15))
        #expect(try it.offset(of: "a.log") == 35)
    }

    @Test func `72: a stop without Kafka ends in time, and remembers what was acknowledged`() throws
    {
        let it = try Scenario(keeping: .database)
        it.write("a.log", numbered(0..<5))
        try it.start()
        it.kafka.isPaused = true
        it.append("a.log", numbered(5..<10))
        it.pass()
        let before = it.now
        #expect(!it.stop(timeout: .seconds(5)))
        #expect(it.now - before < .seconds(6))
        #expect(try it.offset(of: "a.log") == 10)
    }
}
