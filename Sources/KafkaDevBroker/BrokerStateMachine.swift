internal import KafkaProtocol
package import NIOCore

/// A Kafka cluster in memory: it is told requests, and asked what to answer.
///
/// It answers as Apache Kafka does, also to what no good client sends, so that a test against it
/// means something. Its nodes share one log of each partition.
package struct BrokerStateMachine {
    package typealias Instant = ContinuousClock.Instant

    package struct ConnectionID: Hashable, Sendable {
        package let number: Int

        package init(number: Int) {
            self.number = number
        }
    }

    package enum Action: Equatable {
        case send(ConnectionID, [ByteBuffer])
        case close(ConnectionID, reason: String)
        /// Opens a node's port, or closes it.
        case listen(node: Int32)
        case stopListening(node: Int32)
        /// Writes what was changed to disk, before what follows is sent.
        case journal(ByteBuffer)
    }

    /// Where an answer goes, and which request it belongs to.
    struct ReplyAddress: Equatable {
        var connection: ConnectionID
        /// The node that was asked.
        var node: Int32
        var version: Int16
        var correlationID: Int32
    }

    /// A client; its requests are answered one after the other, as Kafka does.
    struct Connection {
        var node: Int32
        var waiting = CircularBuffer<ByteBuffer>()
        var isBusy = false
        var login = Login()
    }

    struct DelayedFetch {
        var address: ReplyAddress
        var request: FetchRequest
        var deadline: Instant
    }

    package var configuration: Configuration
    var topics: [String: Topic] = [:]
    var topicNames: [TopicID: String] = [:]
    /// Topics that were ever made, by which their ids differ.
    var createdTopicCount = 0
    var groups: [String: ConsumerGroup] = [:]
    var coordinator = TransactionCoordinator()
    var clock = WallClock()
    /// `producer.id.expiration.check.interval.ms` and `log.retention.check.interval.ms`.
    var producerCheck = PeriodicCheck(every: .seconds(600))
    var retentionCheck = PeriodicCheck(every: .seconds(300))
    var faults = FaultPlan()
    /// Requests with record batches that were received, good or not.
    package internal(set) var produceRequestCount = 0
    /// Logins that succeeded.
    package internal(set) var loginCount = 0
    var delayedFetches: [DelayedFetch] = []
    var delayedProduces: [DelayedProduce] = []
    /// What the journal holds of transactions; nil if no journal is kept.
    var journaled: JournaledTransactions?
    var connections: [ConnectionID: Connection] = [:]
    var actions = CircularBuffer<Action>()

    package init(configuration: Configuration) {
        self.configuration = configuration
    }

    /// Takes a client's connection to a node.
    package mutating func connectionOpened(_ id: ConnectionID, node: Int32 = 1) {
        self.connections[id] = Connection(node: node)
        if !self.isUp(node) { self.close(id, reason: "node \(node) is down") }
    }

    package mutating func connectionClosed(_ id: ConnectionID) {
        self.connections[id] = nil
        self.delayedFetches.removeAll { $0.address.connection == id }
        self.delayedProduces.removeAll { $0.address.connection == id }
    }

    /// Takes a request without its length.
    package mutating func received(
        _ frame: ByteBuffer,
        from id: ConnectionID,
        now: Instant
    ) {
        guard self.connections[id] != nil else { return }
        self.housekeep(now: now)
        self.connections[id]?.waiting.append(frame)
        self.serve(id, now: now)
    }

    /// Tells the time of day, by which records are stamped and grow old.
    package mutating func setClock(milliseconds: Int64, now: Instant) {
        self.clock.set(milliseconds: milliseconds, at: now)
    }

    /// What to do next; nil until something is told or a deadline has passed.
    package mutating func nextAction(now: Instant) -> Action? {
        self.expire(now: now)
        if let end = self.faults.stalledUntil {
            guard end <= now else { return nil }
            self.faults.stalledUntil = nil
        }
        return self.actions.popFirst()
    }

    /// When to ask again although nothing was told.
    package var nextDeadline: Instant? {
        var deadlines = self.delayedFetches.map(\.deadline)
        deadlines += self.delayedProduces.map(\.deadline)
        deadlines += self.groups.values.compactMap(\.nextDeadline)
        if let deadline = self.coordinator.nextDeadline { deadlines.append(deadline) }
        if let end = self.faults.stalledUntil, !self.actions.isEmpty { deadlines.append(end) }
        return deadlines.min()
    }

    private mutating func expire(now: Instant) {
        self.coordinator.timePassed(now: now)
        self.writeMarkers(now: now)
        if self.delayedProduces.contains(where: { $0.deadline <= now }) {
            self.serveDelayedProduces(now: now)
        }
        while let index = self.delayedFetches.firstIndex(where: { $0.deadline <= now }) {
            let fetch = self.delayedFetches.remove(at: index)
            self.answer(fetch.address, FetchRequest.self, self.fetched(fetch), now: now)
        }
        for name in self.groups.keys
        where self.groups[name]?.nextDeadline.map({ $0 <= now }) == true {
            self.groups[name]?.timePassed(now: now)
            self.deliverAnswers(ofGroup: name, now: now)
        }
    }

    /// Serves a connection's requests until one has to wait.
    private mutating func serve(_ id: ConnectionID, now: Instant) {
        while self.connections[id]?.isBusy == false,
            let frame = self.connections[id]?.waiting.popFirst()
        {
            self.connections[id]?.isBusy = true
            do {
                try self.handle(frame, from: id, now: now)
            } catch {
                self.close(id, reason: "\(error)")
            }
        }
    }

    private mutating func handle(
        _ frame: ByteBuffer,
        from id: ConnectionID,
        now: Instant
    ) throws {
        var body = frame
        let header = try RequestHeader(from: &body) { Self.isFlexible($0, version: $1) }
        let address = ReplyAddress(
            connection: id,
            node: self.connections[id]?.node ?? -1,
            version: header.apiVersion,
            correlationID: header.correlationID
        )
        guard try !self.serveLogin(header, body, address, now: now) else { return }
        try self.dispatch(header, body, address, now: now)
    }
}

extension BrokerStateMachine {
    mutating func answer<Request: KafkaRequest>(
        _ address: ReplyAddress,
        _ type: Request.Type,
        _ response: Request.Response,
        now: Instant
    ) {
        guard self.connections[address.connection] != nil else { return }
        do {
            let pieces = try Request.frame(
                response,
                version: address.version,
                correlationID: address.correlationID
            )
            self.journalTransactions(now: now)
            self.actions.append(.send(address.connection, pieces))
            self.finish(address.connection, now: now)
        } catch {
            self.close(address.connection, reason: "\(error)")
        }
    }

    /// Goes on to the connection's next request, whether this one was answered or not.
    mutating func finish(_ id: ConnectionID, now: Instant) {
        guard self.connections[id]?.isBusy == true else { return }
        self.connections[id]?.isBusy = false
        self.serve(id, now: now)
    }

    mutating func close(_ id: ConnectionID, reason: String) {
        guard self.connections[id] != nil else { return }
        self.connectionClosed(id)
        self.actions.append(.close(id, reason: reason))
    }

    /// Closes all connections, or those of one node.
    mutating func closeAll(of node: Int32? = nil, reason: String) {
        let open = self.connections.filter { node == nil || $0.value.node == node }.keys
        for id in open.sorted(by: { $0.number < $1.number }) { self.close(id, reason: reason) }
    }
}
