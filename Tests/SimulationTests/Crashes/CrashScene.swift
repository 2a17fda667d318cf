import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

/// A partition, a process that ended while it wrote to it, and the one that comes after it.
///
/// The records are numbers from 0 on: in the end the log has to have them once and in order. The
/// brokers are the embedded ones, time is ours.
final class CrashScene {
    typealias Instant = ContinuousClock.Instant
    typealias ConnectionID = BrokerStateMachine.ConnectionID

    /// What the brokers went through in the meantime.
    enum BrokerState: String, CaseIterable {
        case alive = "state alive"
        case restarted = "cleanly restarted"
        case expired = "state expired"
        case late = "late requests"
        case moved = "leader moves"
        case old = "old timestamps"
    }

    /// A row of the journal.
    struct Row {
        var id: Int64
        var records: [Int]
        var identity: ProducerIdentity
        var sequence: Int32
        var createdAt: Int64
        var timestamp: Int64

        var lastSequence: Int32 {
            RecordSequence.advance(self.sequence, by: Int32(self.records.count) - 1)
        }
    }

    enum Event {
        case request(ByteBuffer, ConnectionID)
        case leaderMoves
        /// Followers have nothing of what comes from now on, or everything again.
        case replicationStops, replicationResumes
    }

    enum Answer: Equatable {
        case acknowledged(offset: Int64)
        case refused(KafkaError)
        /// None came.
        case lost
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static let topic = TopicPartition(topic: "t", partition: 0)
    private static let firstTime: Int64 = 1_700_000_000_000
    private static let start = ContinuousClock.now
    private static let month: Int64 = 30 * 24 * 3_600_000

    let state: BrokerState
    var settings = RecoveryStateMachine.Settings()
    var random: SeededGenerator
    var now = CrashScene.start
    var broker: BrokerStateMachine
    private var events: [(time: Instant, event: Event)] = []
    private var connections: [Int32: ConnectionID] = [:]
    private var lastConnection = 0
    private var lastCorrelationID: Int32 = 0
    private var replies: [ConnectionID: ByteBuffer] = [:]

    // The journal, and what is still to be written down.
    var rows: [Row] = []
    var acknowledged: RecoveryAcknowledgement?
    var unwritten: [Int] = []
    private var lastRow: Int64 = 0
    private var firstRequestAt = CrashScene.start

    init(_ state: BrokerState, seed: UInt64) {
        self.state = state
        self.random = SeededGenerator(seed: seed)
        var configuration = BrokerStateMachine.Configuration()
        configuration.nodes = [1, 2].map { Node(id: $0, host: "node\($0)", port: 9092) }
        self.broker = BrokerStateMachine(configuration: configuration)
        self.broker.setClock(milliseconds: Self.firstTime, now: self.now)
        self.broker.createTopic(Self.topic.topic, partitions: 1)
    }

    // MARK: Time

    var wallClock: Int64 { Self.firstTime + Int64((self.now - Self.start) / .milliseconds(1)) }

    func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self.random))
    }

    func onceIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self.random) == 0 }

    func plan(_ event: Event, in wait: Duration) {
        self.events.append((self.now + wait, event))
        self.events.sort { $0.time < $1.time }
    }

    func pass(_ duration: Duration) {
        let end = self.now + duration
        while let (time, event) = self.events.first, time <= end {
            self.events.removeFirst()
            self.now = max(self.now, time)
            switch event {
            case .request(let frame, let connection):
                self.broker.received(frame, from: connection, now: self.now)
            case .leaderMoves: self.moveLeader()
            case .replicationStops:
                self.broker.inject(.holdReplication(topic: "t", partition: 0), now: self.now)
            case .replicationResumes:
                self.broker.inject(.resumeReplication(topic: "t", partition: 0), now: self.now)
            }
            self.takeActions()
        }
        self.now = end
    }

    // MARK: The brokers

    var leadership: Leadership {
        self.broker.partitionLog(topic: "t", partition: 0)?.leadership
            ?? { preconditionFailure("the topic is gone") }()
    }

    func moveLeader() {
        let other: Int32 = self.leadership.leader == 1 ? 2 : 1
        self.broker.inject(.moveLeader(topic: "t", partition: 0, to: other), now: self.now)
    }

    /// Stops all brokers in order, and starts them again with what their snapshots say.
    func restartBrokers() {
        for node in [Int32(1), 2] { self.broker.inject(.stopNode(node), now: self.now) }
        self.broker.inject(.forgetProducers(keepingLastBatch: true), now: self.now)
        for node in [Int32(1), 2] { self.broker.inject(.startNode(node), now: self.now) }
        self.takeActions()
    }

    private func takeActions() {
        while let action = self.broker.nextAction(now: self.now) {
            switch action {
            case .send(let connection, let pieces):
                var frame = ByteBuffer()
                for piece in pieces { frame.writeImmutableBuffer(piece) }
                frame.moveReaderIndex(forwardBy: 8)
                self.replies[connection] = frame
            case .close(let connection, _):
                self.connections = self.connections.filter { $0.value != connection }
            case .listen, .stopListening, .journal: break
            }
        }
    }

    /// Ends the process: its connections are closed, but what was sent on them may still be read.
    func endProcess() {
        self.connections = [:]
    }

    func connection(to node: Int32) -> ConnectionID {
        if let open = self.connections[node] { return open }
        self.lastConnection += 1
        let id = ConnectionID(number: self.lastConnection)
        self.connections[node] = id
        self.broker.connectionOpened(id, node: node)
        self.takeActions()
        return id
    }

    func nextCorrelationID() -> Int32 {
        self.lastCorrelationID += 1
        return self.lastCorrelationID
    }

    /// Sends a request and waits for its answer; nil if the connection is closed instead.
    func exchange(_ pieces: [ByteBuffer], with node: Int32) -> ByteBuffer? {
        self.pass(self.milliseconds(1...20))
        let connection = self.connection(to: node)
        self.broker.received(Self.frame(pieces), from: connection, now: self.now)
        self.takeActions()
        while self.connections[node] == connection {
            if let reply = self.replies.removeValue(forKey: connection) { return reply }
            guard let deadline = self.broker.nextDeadline else { return nil }
            self.pass(max(.milliseconds(1), deadline - self.now))
            self.takeActions()
        }
        return nil
    }

    static func frame(_ pieces: [ByteBuffer]) -> ByteBuffer {
        var frame = ByteBuffer()
        for piece in pieces { frame.writeImmutableBuffer(piece) }
        frame.moveReaderIndex(forwardBy: 4)
        return frame
    }

    func ask<Request: KafkaRequest>(_ request: Request) throws -> Request.Response {
        let version = Request.versions.upperBound
        let pieces = try request.frame(
            version: version,
            correlationID: self.nextCorrelationID(),
            clientID: "scene"
        )
        guard let body = self.exchange(pieces, with: 1) else {
            throw Failure(description: "closed")
        }
        return try Request.response(from: body, version: version)
    }

    func freshIdentity() throws -> ProducerIdentity {
        let answer = try self.ask(InitProducerIDRequest())
        return ProducerIdentity(id: answer.producerID, epoch: answer.producerEpoch)
    }

    // MARK: Batches

    /// Closes batches of one to four records and writes them down; returns the sequence behind them.
    func write(
        _ count: Int,
        _ identity: ProducerIdentity,
        from sequence: Int32
    ) -> Int32 {
        var next = sequence
        for _ in 0..<min(count, self.unwritten.count) {
            guard !self.unwritten.isEmpty else { break }
            let records = Array(self.unwritten.prefix(.random(in: 1...4, using: &self.random)))
            self.unwritten.removeFirst(records.count)
            self.lastRow += 1
            let row = Row(
                id: self.lastRow,
                records: records,
                identity: identity,
                sequence: next,
                createdAt: self.wallClock,
                timestamp: self.wallClock - (self.state == .old ? Self.month : 0)
            )
            self.rows.append(row)
            next = RecordSequence.advance(next, by: Int32(records.count))
        }
        return next
    }

    func request(
        _ row: Row,
        as identity: ProducerIdentity? = nil,
        sequence: Int32? = nil
    ) throws -> [ByteBuffer] {
        var builder = RecordBatchBuilder(buffer: ByteBuffer())
        for record in row.records {
            Array("\(record)".utf8).withUnsafeBytes { value in
                _ = builder.append(key: nil, value: value, timestamp: row.timestamp)
            }
        }
        var sealed = try builder.seal()
        let identity = identity ?? row.identity
        sealed.assign(
            producerID: identity.id,
            epoch: identity.epoch,
            baseSequence: sequence ?? row.sequence
        )
        let data = ProduceRequest.PartitionData(index: 0, records: sealed.buffer)
        return try ProduceRequest(acks: -1, topicData: [.init(name: "t", partitionData: [data])])
            .frame(version: 12, correlationID: self.nextCorrelationID(), clientID: "scene")
    }

    func answer(in body: ByteBuffer?) throws -> Answer {
        guard let body else { return .lost }
        let response = try ProduceRequest.response(from: body, version: 12)
        guard let partition = response.responses.first?.partitionResponses.first else {
            return .lost
        }
        return partition.errorCode == .none
            ? .acknowledged(offset: partition.baseOffset) : .refused(partition.errorCode)
    }

    /// Whether an error says nothing of whether a batch may be appended later.
    static func isRetriable(_ answer: Answer) -> Bool {
        answer == .refused(.notLeaderOrFollower) || answer == .refused(.requestTimedOut)
    }

    /// Sends to whoever leads until somebody takes it or refuses it for good.
    func produce(
        _ row: Row,
        as identity: ProducerIdentity? = nil,
        sequence: Int32? = nil
    ) throws -> Answer {
        while true {
            let request = try self.request(row, as: identity, sequence: sequence)
            let body = self.exchange(request, with: self.leadership.leader)
            let answer = try self.answer(in: body)
            if !Self.isRetriable(answer) { return answer }
        }
    }

    /// Notes that a batch was acknowledged, and takes its row out.
    func settle(_ row: Row, at offset: Int64?) {
        self.rows.removeAll { $0.id == row.id }
        guard let offset else { return }
        self.acknowledged = RecoveryAcknowledgement(
            topicID: self.topicID,
            producerID: row.identity.id,
            epoch: row.identity.epoch,
            sequence: row.lastSequence,
            offset: offset + Int64(row.records.count) - 1
        )
    }

    var topicID: TopicID { self.broker.topicID(of: "t") ?? .zero }

    // MARK: The process that ends

    /// Writes until a moment that chance chooses, and leaves rows of which nobody knows.
    func live() throws {
        self.pass(self.milliseconds(0...600_000))
        let identity = try self.freshIdentity()
        self.firstRequestAt = self.now
        let settled = self.onceIn(12) ? 0 : Int.random(in: 1...8, using: &self.random)
        // One in flight until the first acknowledgement, then five.
        let sent = settled == 0 ? 1 : Int.random(in: 1...5, using: &self.random)
        let unsent = Int.random(in: 0...3, using: &self.random)
        let rest = Int.random(in: 0...20, using: &self.random)
        self.unwritten = Array(0..<(4 * (settled + sent + unsent) + rest))
        var next = self.write(settled, identity, from: 0)
        for row in self.rows {
            guard case .acknowledged(let offset) = try self.produce(row) else {
                throw Failure(description: "row \(row.id) was refused before anything happened")
            }
            self.settle(row, at: offset)
        }
        next = self.write(sent + unsent, identity, from: next)
        try self.die(sent: Array(self.rows.prefix(sent)))
    }

    /// Some of what was sent has arrived; the rest is lost, or comes late.
    private func die(sent: [Row]) throws {
        let isLate = self.state == .late || self.state == .old && self.onceIn(2)
        if isLate {
            // The brokers look every ten minutes for what they may forget: soon now.
            let check = self.firstRequestAt + .seconds(600)
            self.pass(check - self.now - self.milliseconds(0...10_000))
        }
        let arrived = Int.random(in: 0...sent.count, using: &self.random)
        let connection = self.connection(to: self.leadership.leader)
        if self.state == .moved, self.onceIn(2) {
            self.plan(.replicationStops, in: .zero)
            self.pass(.zero)
        }
        for row in sent.prefix(arrived) {
            // What not all replicas have is not answered, nor is what comes behind it read.
            let frame = Self.frame(try self.request(row))
            self.plan(.request(frame, connection), in: .zero)
            self.pass(.milliseconds(1))
        }
        self.endProcess()
        if isLate {
            var wait = Duration.zero
            for row in sent.dropFirst(arrived) {
                wait += self.milliseconds(0...5000)
                let frame = Self.frame(try self.request(row))
                self.plan(.request(frame, connection), in: wait)
            }
            self.pass(self.milliseconds(0...3000))
        } else {
            self.rest()
        }
    }

    /// Nobody writes for a while.
    private func rest() {
        switch self.state {
        case .alive:
            self.pass(.seconds(1 << Int.random(in: 0...16, using: &self.random)))
        case .restarted:
            self.pass(self.milliseconds(1000...3_600_000))
            self.restartBrokers()
        case .expired: self.pass(.seconds(Int.random(in: 90_000...200_000, using: &self.random)))
        case .moved:
            for _ in 0..<5 { self.plan(.leaderMoves, in: self.milliseconds(0...2000)) }
            self.plan(.replicationStops, in: self.milliseconds(0...2000))
            self.plan(.replicationResumes, in: self.milliseconds(0...2000))
            self.plan(.replicationResumes, in: self.milliseconds(2000...6000))
            self.pass(self.milliseconds(0...1000))
        case .late, .old: self.pass(self.milliseconds(0...2_400_000))
        }
    }

    // MARK: The end

    /// What is wrong with the log; nil if every record is there once and in order.
    func problem(count: Int) throws -> String? {
        self.pass(.seconds(60))
        let values = try self.broker.records(topic: "t", partition: 0)
            .compactMap { $0.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) } }
        if values == Array(0..<count) { return nil }
        let missing = Set(0..<count).subtracting(values).sorted()
        let repeated = Dictionary(grouping: values) { $0 }.filter { $0.value.count > 1 }.keys
        if !missing.isEmpty { return "missing \(missing)" }
        return repeated.isEmpty ? "out of order: \(values)" : "repeated \(repeated.sorted())"
    }
}
