import Kafka

@main
struct FirstProgram {
    static func main() async throws {
        let broker = CommandLine.arguments.dropFirst().first ?? "localhost:9092"
        let producer = KafkaProducer(configuration: .init(bootstrapServers: [broker]))
        let running = Task { try await producer.run() }

        for (customer, order) in [("42", "paid"), ("43", "shipped"), ("42", "closed")] {
            let record = KafkaProducerRecord(
                topic: "orders",
                key: customer,
                value: order,
                headers: ["source": "first-program"]
            )
            let metadata = try await producer.send(record)
            print("\(order): partition \(metadata.partition), offset \(metadata.offset)")
        }

        // What others sent without waiting is sent before the end.
        await producer.flush()
        running.cancel()
        try await running.value
    }
}
