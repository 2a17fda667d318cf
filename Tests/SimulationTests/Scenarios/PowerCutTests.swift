import Kafka
import KafkaProtocol
import Testing

@testable import Shipping

/// Power cuts that take back what the database had committed last.
extension ScenarioTests {
    @Test(arguments: ["key       = null\n  partition = 0", "key = @raw", "key = null"])
    func `a journal that has lost its end loses and repeats nothing, whatever the routing`(
        routing: String
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.limitMemory()
        it.kafka.partitionCount = 3
        try it.edit("key       = null\n  partition = 0", to: routing)
        var generator = SeededGenerator(seed: 61)
        // Files, partitions and texts are written durably when they are met first.
        var written = 300
        it.write("a.log", numbered(0..<150))
        it.write("b.log", numbered(150..<300))
        try it.start()
        for _ in 0..<20 {
            for file in ["a.log", "b.log"] {
                let count = Int.random(in: 0...80, using: &generator)
                it.append(file, numbered(written..<(written + count)))
                written += count
            }
            it.run(steps: Int.random(in: 0...60, using: &generator))
            let disk = it.databaseOnDisk()
            it.run(steps: Int.random(in: 0...120, using: &generator))
            if Bool.random(using: &generator) { it.pass(.milliseconds(300)) }
            it.cutPower(disk)
            try it.begin()
        }
        it.pass(.seconds(10))
        #expect(it.values.count == written)
        #expect(Set(it.values).count == written)
        // Without a key nobody knows any more where a line was to go that Kafka does not have.
        for file in ["a.log", "b.log"] {
            for partition in 0..<it.kafka.partitionCount {
                let values = it.kafka.entries.filter { $0.partition.number == partition }
                    .filter { $0.record.header("source-file").hasSuffix(file) }
                    .compactMap { Int($0.value) }
                #expect(values == values.sorted() || routing == "key = null")
            }
        }
        it.kill()
        try it.start()
        #expect(it.values.count == written)
    }

    @Test func `a start that is killed while it looks for what the journal has lost looks again`()
        throws
    {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.write("a.log", "0\n")
        try it.start()
        let disk = it.databaseOnDisk()
        it.append("a.log", numbered(1..<50))
        it.pass()
        it.cutPower(disk)
        for steps in 0..<60 {
            try it.begin()
            it.run(steps: steps)
            it.kill()
            it.loseAgain()
        }
        try it.start()
        #expect(it.values == numbers(0..<50))
        it.append("a.log", numbered(50..<60))
        it.pass()
        #expect(it.values == numbers(0..<60))
    }

    @Test func `a file that does not make what Kafka has of it is stopped`() throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.write("a.log", "0\n")
        try it.start()
        let disk = it.databaseOnDisk()
        it.append("a.log", numbered(1..<50))
        it.pass()
        it.cutPower(disk)
        it.write("a.log", numbered(0..<40))
        try it.start()
        #expect(it.said("Kafka has 49 records of it in t-0, from byte 2 on"))
        #expect(it.values == numbers(0..<50))
    }
}
