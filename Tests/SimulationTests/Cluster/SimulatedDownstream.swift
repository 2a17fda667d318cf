import Kafka

@testable import Shipping

/// Kafka and the producer of the process that runs, as its lanes and its journal see them.
protocol SimulatedDownstream: AnyObject, BatchSink, BatchRecovering {
    /// The records in the log; those of a partition in their order.
    var entries: [SimulatedKafka.Entry] { get }
    /// What must not happen, and has.
    var failure: String? { get }
    /// Whether Kafka is away.
    var isPaused: Bool { get set }

    /// A process begins.
    ///
    /// - Parameters:
    ///   - journal: what an earlier life left; nil where nothing is journaled.
    ///   - post: takes batches before they are sent.
    func connect(
        _ listeners: [any DeliveryListener],
        to journal: JournalSetup?,
        rows: RowMaker?,
        post: @escaping (JournalMessage) -> Void
    )
    /// It dies; what was on its way may still arrive.
    func cutOff(_ generator: inout SeededGenerator)

    func move(to now: ContinuousClock.Instant)
    var hasWork: Bool { get }
    /// When there will be something to do.
    var nextDeadline: ContinuousClock.Instant? { get }
    func step(_ generator: inout SeededGenerator)
}
