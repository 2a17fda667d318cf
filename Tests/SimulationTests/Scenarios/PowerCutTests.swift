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

    @Test(arguments: ["key       = null\n  partition = 0", "key = @raw"], [UInt64(1), 2])
    func `a journal that has lost its end is found again behind a network with faults`(
        routing: String,
        seed: UInt64
    ) throws {
        let it = try Scenario(keeping: .database)
        it.isExact = true
        it.limitMemory()
        try it.useBrokers(partitions: 3, seed: seed)
        try it.edit("key       = null\n  partition = 0", to: routing)
        let brokers = try #require(it.brokers)
        var generator = SeededGenerator(seed: seed)
        var disk: [String: [UInt8]] = [:]
        it.onDurableCommit = { disk = it.databaseOnDisk() }
        var written = 0
        it.write("a.log", "")
        it.write("b.log", "")
        try it.start()
        for _ in 0..<12 {
            for file in ["a.log", "b.log"] {
                let count = Int.random(in: 0...80, using: &generator)
                it.append(file, numbered(written..<(written + count)))
                written += count
            }
            it.pass(.milliseconds(Int.random(in: 0...40_000, using: &generator)))
            disk = it.databaseOnDisk()
            it.pass(.milliseconds(Int.random(in: 0...2_000, using: &generator)))
            it.cutPower(disk)
            try it.begin()
        }
        brokers.endFaults()
        it.pass(.seconds(400))
        #expect(brokers.failure == nil)
        let values = brokers.entries.map(\.value)
        #expect(values.count == written)
        #expect(Set(values).count == written)
        for file in ["a.log", "b.log"] {
            for partition in Int32(0)..<3 {
                let numbers = brokers.entries.filter { $0.partition.number == partition }
                    .filter { $0.record.header("source-file").hasSuffix(file) }
                    .compactMap { Int($0.value) }
                #expect(numbers == numbers.sorted())
            }
        }
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
