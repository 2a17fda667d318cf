package import KafkaProtocol

/// What goes wrong on purpose.
package enum Fault: Sendable, Equatable {
    /// The n-th request with batches from now (1 is the next) is refused; nothing is appended.
    case refuse(KafkaError, nth: Int = 1)
    /// The n-th request with batches is appended and answered with an error nevertheless.
    case failAfterAppend(KafkaError, nth: Int = 1)
    /// The n-th request with batches is appended, and the connection closed without an answer.
    case loseAnswer(nth: Int = 1)
    /// The n-th request with batches closes the connection before anything is appended.
    case closeBeforeAppend(nth: Int = 1)
    /// The n-th request with batches is appended and never answered; the connection stays.
    case swallowAnswer(nth: Int = 1)
    /// The answer to the n-th request with batches asks the client to be quiet for a while.
    case throttle(milliseconds: Int32, nth: Int = 1)
    /// No request is answered for a while.
    case stall(Duration)
    /// All connections are closed now.
    case closeConnections
    /// What is known of producer ids is forgotten, but for each one's last batch if so wished,
    /// as a clean restart does.
    case forgetProducers(keepingLastBatch: Bool)
    /// From now on the markers that end transactions are written so much later.
    case delayMarkers(Duration)
    /// Another of its replicas leads the partition.
    case moveLeader(topic: String, partition: Int32, to: Int32)
    /// The partition's followers have nothing of what comes from now on, or everything again. While
    /// it is held acks=all waits, and another leader begins without it.
    case holdReplication(topic: String, partition: Int32)
    case resumeReplication(topic: String, partition: Int32)
    /// A node goes away with its connections, or comes back.
    case stopNode(Int32)
    case startNode(Int32)

    var nth: Int? {
        switch self {
        case .refuse(_, let nth), .failAfterAppend(_, let nth), .loseAnswer(let nth),
            .closeBeforeAppend(let nth), .swallowAnswer(let nth), .throttle(_, let nth):
            nth
        case .stall, .closeConnections, .forgetProducers, .delayMarkers, .moveLeader, .stopNode,
            .startNode, .holdReplication, .resumeReplication:
            nil
        }
    }
}

/// The faults that are still to come.
struct FaultPlan {
    private var produce: [Int: Fault] = [:]
    var stalledUntil: ContinuousClock.Instant?

    mutating func add(_ fault: Fault, atRequest number: Int) {
        self.produce[number] = fault
    }

    mutating func takeFault(ofRequest number: Int) -> Fault? {
        self.produce.removeValue(forKey: number)
    }
}

extension BrokerStateMachine {
    /// Lets something go wrong, now or later.
    package mutating func inject(_ fault: Fault, now: Instant) {
        switch fault {
        case .stall(let duration): self.faults.stalledUntil = now + duration
        case .moveLeader(let topic, let partition, let node):
            self.moveLeader(of: topic, partition, to: node)
            self.serveDelayedProduces(now: now)
            self.serveDelayedFetches(now: now)
        case .holdReplication(let topic, let partition):
            self.holdReplication(of: topic, partition)
        case .resumeReplication(let topic, let partition):
            self.resumeReplication(of: topic, partition, now: now)
        case .stopNode(let node):
            self.stopNode(node)
            self.serveDelayedProduces(now: now)
            self.serveDelayedFetches(now: now)
        case .startNode(let node): self.startNode(node)
        case .delayMarkers(let duration): self.coordinator.markerDelay = duration
        case .closeConnections: self.closeAll(reason: "all connections are closed")
        case .forgetProducers(let keepingLastBatch):
            for name in self.topics.keys {
                self.topics[name]?.forgetProducers(keepingLastBatch: keepingLastBatch)
            }
        default:
            self.faults.add(fault, atRequest: self.produceRequestCount + (fault.nth ?? 1))
        }
    }
}
