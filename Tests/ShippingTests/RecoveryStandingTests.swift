import Kafka
import Testing

@testable import Shipping

struct RecoveryStandingTests {
    private static let known = RecoveryStanding(
        pending: [
            TopicPartition(topic: "t", partition: 10), TopicPartition(topic: "t", partition: 9),
        ],
        stopped: [TopicPartition(topic: "a b", partition: 1): "", .orders: "no READ:\ngrant it"],
        report: .example
    )

    @Test func `who looks reads what the service wrote`() {
        var standing = Self.known
        standing.stopped.removeFirst()
        standing.stoppedCount = 1
        #expect(
            standing.lines == [
                "found 3", "sent 2", "absent 0", "unjournaled 1", "lost 0", "repeats 0",
                "pending 2", "stopped 1", "pending t 9", "pending t 10",
                "stopped orders 4 no READ:\\ngrant it",
            ]
        )
        let read = RecoveryStanding(lines: standing.lines)
        #expect(read.pending == standing.pending)
        #expect(read.pendingCount == 2)
        #expect(read.report == standing.report)
        #expect(read.stopped.map(\.partition) == [.orders])
        #expect(read.stopped.map(\.reason) == ["no READ:\\ngrant it"])
    }

    @Test func `lines that nobody wrote are passed over`() {
        let lines = [
            "", "pending", "pending x", "stopped t x y", "new 3", "sent 9999999999999999999",
        ]
        #expect(RecoveryStanding(lines: lines) == RecoveryStanding())
    }

    @Test func `each stopped partition is named with what to do, of the others how many`() {
        #expect(
            Self.known.entries.map { "\($0.name): \($0.value)" } == [
                "recovered: 3 records were in Kafka, 2 were sent again under their numbers, 0 as new"
                    + " ones",
                "recovered: 1 records in Kafka, which the journal had lost",
                "being found out: in 2 partitions, whose leaders are asked: t-9, t-10",
                "stopped: a b-1: ", "stopped: orders-4: no READ:\ngrant it",
            ]
        )
        #expect(RecoveryStanding().entries.isEmpty)
    }

    @Test func `of very many partitions the number is said`() {
        let many = (0..<1000).map { TopicPartition(topic: "t", partition: $0) }
        let standing = RecoveryStanding(
            pending: Set(many),
            stopped: Dictionary(uniqueKeysWithValues: many.map { ($0, "why") }),
            report: RecoveryReport()
        )
        #expect(standing.lines.count == 8 + 100)
        let entries = standing.entries.map(\.value)
        #expect(entries.first == "in 1000 partitions, whose leaders are asked")
        #expect(entries.last == "900 more partitions")
    }

    @Test func `a service stands by the worst of its partitions`() {
        var standing = RecoveryStanding()
        #expect(standing.status(isRunning: true) == .success)
        #expect(standing.status(isRunning: false) == .stopped)
        standing.pendingCount = 1
        #expect(standing.status(isRunning: true) == .degraded)
        standing.stoppedCount = 1
        #expect(standing.status(isRunning: true) == .stopped)
    }

    @Test func `the mode of delivery is said with what it needs to be found again`() {
        #expect(
            DeliveryOptions().description(transactionalID: nil)
                == "exactly_once, journal positions, synchronous full"
        )
        #expect(
            DeliveryOptions(mode: .transactional, durability: .normal)
                .description(transactionalID: "forktail-1\n")
                == "transactional, synchronous normal, transactional id forktail-1\\n"
        )
        #expect(
            DeliveryOptions(mode: .atLeastOnce).description(transactionalID: nil)
                == "at_least_once, synchronous full"
        )
    }

    @Test func `the object has everything`() {
        let standing = RecoveryStanding(
            pending: [TopicPartition(topic: "t", partition: 9)],
            stopped: [.orders: "say \"please\""],
            report: .example
        )
        #expect(
            standing.json == """
                {"found_records":3,"sent_records":2,"absent_records":0,"unjournaled_records":1,\
                "lost_records":0,"possible_repeats":0,"pending":1,"stopped":1,\
                "pending_partitions":[{"topic":"t","partition":9}],"stopped_partitions":\
                [{"topic":"orders","partition":4,"cause":"say \\"please\\""}]}
                """
        )
    }
}

extension TopicPartition {
    fileprivate static let orders = TopicPartition(topic: "orders", partition: 4)
}

extension RecoveryReport {
    fileprivate static var example: RecoveryReport {
        var report = RecoveryReport()
        report.foundRecords = 1
        report.sentRecords = 2
        var other = RecoveryReport()
        other.foundRecords = 2
        other.unjournaledRecords = 1
        report.add(other)
        return report
    }
}
