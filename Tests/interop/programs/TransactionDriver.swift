import Glibc
import Kafka
import Synchronization

/// Does with a producer what its standard input says, and answers each line with one.
///
///     init | begin | commit [MS] | abort | send TOPIC PARTITION FIRST COUNT | flush
///     offset GROUP TOPIC PARTITION OFFSET | quit
///
/// Records are numbers from FIRST on. The answer is `OK`, or `ERROR` and what was thrown; that of
/// `flush` is the number of records that failed since the last one.
@main
struct TransactionDriver {
    static func main() async throws {
        let arguments = CommandLine.arguments
        var configuration = KafkaProducerConfiguration(
            bootstrapServers: arguments[1].split(separator: ",").map(String.init)
        )
        configuration.transactionalID = arguments[2]
        for property in arguments.dropFirst(3) {
            let parts = property.split(separator: "=", maxSplits: 1).map(String.init)
            try configuration.set(parts[0], to: parts[1])
        }
        let producer = KafkaProducer(configuration: configuration)
        let running = Task { try await producer.run() }
        let driver = Driver(producer: producer)
        while let line = readLine(), line != "quit" {
            print(await driver.answer(to: line.split(separator: " ").map(String.init)))
            fflush(nil)  // Who asked waits for it.
        }
        running.cancel()
        try await running.value
    }
}

final class Driver: Sendable {
    private let producer: KafkaProducer
    private let failed = Mutex(0)

    init(producer: KafkaProducer) {
        self.producer = producer
    }

    func answer(to words: [String]) async -> String {
        do throws(KafkaProducerError) {
            try await self.perform(words)
            guard words.first == "flush" else { return "OK" }
            return self.failed.withLock { failed in
                defer { failed = 0 }
                return "OK \(failed)"
            }
        } catch {
            return "ERROR \(error)"
        }
    }

    private func perform(_ words: [String]) async throws(KafkaProducerError) {
        switch words.first {
        case "init": try await self.producer.initTransactions()
        case "begin": try await self.producer.beginTransaction()
        case "commit":
            let limit = words.count > 1 ? Int(words[1]).map(Duration.milliseconds) : nil
            try await self.producer.commitTransaction(timeout: limit)
        case "abort": try await self.producer.abortTransaction()
        case "send": self.send(words)
        case "offset" where words.count == 5: try await self.sendOffset(words)
        case "flush": await self.producer.flush()
        default: throw .configuration("\(words) is no command")
        }
    }

    private func sendOffset(_ words: [String]) async throws(KafkaProducerError) {
        guard let partition = Int32(words[3]), let offset = Int64(words[4]) else { return }
        try await self.producer.sendOffsets(
            [KafkaConsumedOffset(topic: words[2], partition: partition, offset: offset)],
            groupMetadata: KafkaGroupMetadata(groupID: words[1])
        )
    }

    private func send(_ words: [String]) {
        guard words.count == 5, let first = Int(words[3]), let count = Int(words[4]) else { return }
        for number in first..<first + count {
            let record = KafkaProducerRecord(
                topic: words[1],
                partition: Int32(words[2]),
                value: "\(number)"
            )
            self.producer.enqueue(record) { result in
                if case .failure = result { self.failed.withLock { $0 += 1 } }
            }
        }
    }
}
