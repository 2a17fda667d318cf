import Kafka

extension History {
    /// What many histories came to.
    struct Sum: CustomStringConvertible {
        private var written = 0
        private var delivered = 0
        private var repeatedAfterKill = 0
        private var repeatedAsKept = 0
        private var destroyed: [Destruction: Int64] = [:]
        private var countedBytes: Int64 = 0
        private var kills = 0
        private var faults: [Fault: Int] = [:]
        private var caught: [SimulatedKafka.Caught: Int] = [:]
        private var networkFaults: [NetworkFault: Int] = [:]
        private var recovery: SimulatedProducer.RecoverySum?

        mutating func add(_ history: History) {
            let log = history.mainLog.compactMap { history.number(of: $0.value) }
            let distinct = Set(log)
            written += history.lines.count
            delivered += distinct.count
            destroyed.merge(history.destroyedBytes, uniquingKeysWith: +)
            countedBytes += history.abandonedBytes
            kills += history.kills
            faults.merge(history.faults, uniquingKeysWith: +)
            caught.merge(history.plainKafka?.caught ?? [:], uniquingKeysWith: +)
            if let producer = history.producer {
                networkFaults.merge(producer.faultCounts, uniquingKeysWith: +)
                recovery = (recovery ?? .init()) + producer.recovery
            }
            var seen: Set<Int> = []
            for line in log where !seen.insert(line).inserted {
                if history.lines[line].isKept {
                    repeatedAsKept += 1
                } else {
                    repeatedAfterKill += 1
                }
            }
        }

        var description: String {
            """
            \(written) lines written, \(delivered) delivered, 0 lost, 0 out of order
              \(repeatedAfterKill) repeated after \(kills) kills, \
            \(repeatedAsKept) that a truncation or a copy left in a file of their own
              bytes destroyed unread: \(causes); \(countedBytes) were counted as abandoned
              faults: \(Self.list(Fault.allCases, faults))
              \(kafka)
            """
        }

        private var kafka: String {
            if let recovery {
                return """
                    of the network: \(Self.list(NetworkFault.allCases, networkFaults))
                      \(recovery.partitions) partitions recovered: \(recovery.found) records found \
                    in the log, \(recovery.sent) sent again, \(recovery.absent) absent
                    """
            }
            return "batches that a crash caught: "
                + Self.list(SimulatedKafka.Caught.allCases, caught)
        }

        private static func list<Kind: RawRepresentable<String> & Hashable>(
            _ kinds: [Kind],
            _ counts: [Kind: Int]
        ) -> String {
            kinds.map { "\(counts[$0] ?? 0) \($0.rawValue)" }.joined(separator: ", ")
        }

        private var causes: String {
            Destruction.allCases.map { "\(destroyed[$0] ?? 0) \($0.rawValue)" }
                .joined(separator: ", ")
        }
    }
}
