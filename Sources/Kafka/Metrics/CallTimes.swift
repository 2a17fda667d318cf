/// How long the application waited for calls, as Kafka's `KafkaProducerMetrics` counts it.
struct CallTimes: Sendable {
    enum Call: Hashable, Sendable {
        case flush, sendOffsets
        case transaction(TransactionOperation)
    }

    private var times: [Call: Duration] = [:]

    /// Calls and the first words of their metrics' names.
    static let names: [(call: Call, name: String)] = [
        (.flush, "flush"),
        (.transaction(.initialize), "txn-init"),
        (.transaction(.begin), "txn-begin"),
        (.sendOffsets, "txn-send-offsets"),
        (.transaction(.commit), "txn-commit"),
        (.transaction(.abort), "txn-abort"),
    ]

    subscript(call: Call) -> Duration { self.times[call] ?? .zero }

    mutating func add(_ time: Duration, to call: Call) {
        var call = call
        // Both wait for a producer id.
        if call == .transaction(.restart) { call = .transaction(.initialize) }
        // A commit that was begun before.
        if case .transaction(.resume) = call { call = .transaction(.commit) }
        self.times[call, default: .zero] += time
    }
}
