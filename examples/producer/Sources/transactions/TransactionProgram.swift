import Kafka

@main
struct TransactionProgram {
    static func main() async throws {
        let broker = CommandLine.arguments.dropFirst().first ?? "localhost:9092"
        var configuration = KafkaProducerConfiguration(bootstrapServers: [broker])
        // One running producer has this name; a second one that takes it over fences the first.
        configuration.transactionalID = "order-service-1"
        let producer = KafkaProducer(configuration: configuration)
        let running = Task { try await producer.run() }
        try await producer.initTransactions()

        for order in 1...3 {
            do {
                try await producer.withTransaction {
                    producer.enqueue(KafkaProducerRecord(topic: "orders", value: "\(order)"))
                    producer.enqueue(KafkaProducerRecord(topic: "stock", value: "-\(order)"))
                    if order == 2 { throw OutOfStock() }
                }
                print("order \(order) is committed")
            } catch is OutOfStock {
                print("order \(order) is aborted")
            } catch KafkaProducerError.transactionAbortable(let reason) {
                print("order \(order) is aborted: \(reason)")
            }
        }

        running.cancel()
        try await running.value
    }
}

struct OutOfStock: Error {}
