import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

extension SimulatedCluster {
    func nextFault() {
        guard self.now < self.faultsEnd else { return }
        if let fault = self.settings.faults.randomElement(using: &self.random), self.inject(fault) {
            self.faultCounts[fault, default: 0] += 1
        }
        let wait = self.settings.faultInterval * Int.random(in: 20...200, using: &self.random) / 100
        self.schedule.add(.fault, at: self.now + wait)
    }

    /// Lets something go wrong; false if there is nothing that it could happen to.
    private func inject(_ fault: NetworkFault) -> Bool {
        switch fault {
        case .answerLost: return self.tellBroker(.loseAnswer())
        case .answerSwallowed: return self.tellBroker(.swallowAnswer())
        case .requestLost: return self.tellBroker(.closeBeforeAppend())
        case .refused: return self.tellBroker(.refuse(self.refusal()))
        case .failedAfterAppend: return self.tellBroker(.failAfterAppend(self.lateError()))
        case .throttled:
            let milliseconds = Int32.random(in: 10...2000, using: &self.random)
            return self.tellBroker(.throttle(milliseconds: milliseconds))
        case .answersHeld: return self.tellBroker(.stall(self.milliseconds(10...6000)))
        case .leaderMoved: return self.moveLeader()
        case .nodeStopped: return self.stopNode()
        case .clusterKilled: return self.stopCluster(inOrder: false)
        case .clusterRestarted: return self.stopCluster(inOrder: true)
        case .requestDoubled: self.doublings += 1
        case .requestDamaged:
            guard self.mayCorrupt() else { return false }
            self.damages += 1
        case .staleMetadata: self.staleAnswers += Int.random(in: 1...2, using: &self.random)
        case .nodeHung:
            let node = self.anyNode()
            self.note("node \(node) hangs")
            self.nodeHeldUntil[node] = self.now + self.milliseconds(100...12_000)
        case .connectionReset, .cutInFrame, .connectionHeld, .zombie:
            let open = self.connections.values
                .filter { $0.isOpenToClient && $0.isOpenToBroker }
                .sorted { $0.number < $1.number }
            guard let connection = open.randomElement(using: &self.random) else { return false }
            self.disturb(connection, fault)
        }
        return true
    }

    private func disturb(_ connection: SimulatedConnection, _ fault: NetworkFault) {
        self.note("connection \(connection.number): \(fault.rawValue)")
        switch fault {
        case .connectionReset:
            self.cut(&connection.toBroker)
            self.cut(&connection.toClient)
            self.send(.end, on: connection, .toBroker)
            self.send(.end, on: connection, .toClient)
        case .cutInFrame:
            let direction: Direction = self.onceIn(2) ? .toBroker : .toClient
            self.cutInFrame(&connection[direction])
            self.send(.end, on: connection, .toBroker)
            self.send(.end, on: connection, .toClient)
        case .connectionHeld:
            let end = self.now + self.milliseconds(5...4000)
            for direction in Direction.allCases where self.onceIn(2) {
                connection[direction].heldUntil = end
            }
        default:
            // The client hears of the end at once, the broker of the requests much later.
            connection.toBroker.heldUntil = self.now + self.milliseconds(50...30_000)
            connection.toClient.parcels.removeAll()
            self.send(.end, on: connection, .toClient)
        }
    }

    /// Loses all that is on its way but for the beginning of the first parcel.
    private func cutInFrame(_ path: inout SimulatedConnection.Path) {
        guard let first = path.parcels.first else { return }
        path.parcels.removeAll()
        guard case .bytes(var bytes) = first.parcel else { return }
        let length = Int.random(in: 0..<max(1, bytes.readableBytes), using: &self.random)
        if let part = bytes.readSlice(length: length) {
            path.parcels.append((first.due, .bytes(part)))
        }
    }

    private func tellBroker(_ fault: Fault) -> Bool {
        guard self.isClusterUp else { return false }
        self.note("the broker is told \(fault)")
        self.broker.inject(fault, now: self.now)
        self.runBroker()
        return true
    }

    /// An error after which nothing was appended, or cannot be told to have been.
    private func refusal() -> KafkaError {
        let errors: [KafkaError] = [
            .unknownTopicOrPartition, .leaderNotAvailable, .notLeaderOrFollower,
            .replicaNotAvailable, .notEnoughReplicas, .fencedLeaderEpoch, .unknownLeaderEpoch,
            .corruptMessage, .throttlingQuotaExceeded,
        ]
        let error = (errors + self.lateErrors).randomElement(using: &self.random)
        if error == .corruptMessage, !self.mayCorrupt() { return .requestTimedOut }
        return error ?? .requestTimedOut
    }

    /// Whether it may happen once more: a batch that is damaged each time fails in the end.
    private func mayCorrupt() -> Bool {
        self.corruptions += 1
        return self.corruptions <= ProduceErrorDisposition.corruptAttemptLimit
    }

    private var lateErrors: [KafkaError] {
        [
            .networkException, .requestTimedOut, .notEnoughReplicasAfterAppend,
            .kafkaStorageError, .unknownServerError,
        ]
    }

    private func lateError() -> KafkaError {
        self.lateErrors.randomElement(using: &self.random) ?? .requestTimedOut
    }

    // MARK: The client

    /// The producer's process dies: what it sent before may still arrive, and much later.
    func clientDies() {
        for connection in self.connections.values.sorted(by: { $0.number < $1.number })
        where connection.isOpenToClient {
            self.leave(connection)
        }
        self.current = [:]
    }

    private func leave(_ connection: SimulatedConnection) {
        connection.isOpenToClient = false
        connection.toClient.parcels.removeAll()
        if self.onceIn(3) { self.cut(&connection.toBroker) }
        if self.onceIn(3) {
            connection.toBroker.heldUntil = self.now + self.milliseconds(50...20_000)
        }
        self.send(.end, on: connection, .toBroker)
    }

    // MARK: The cluster

    private func anyNode() -> Int32 {
        self.settings.broker.nodes.randomElement(using: &self.random)?.id ?? 1
    }

    private func moveLeader() -> Bool {
        guard
            let topic = self.broker.topicPartitionCounts.sorted(by: { $0.key < $1.key })
                .randomElement(using: &self.random)
        else { return false }
        let partition = Int32.random(in: 0..<Int32(topic.value), using: &self.random)
        return self.tellBroker(
            .moveLeader(topic: topic.key, partition: partition, to: self.anyNode())
        )
    }

    private func stopNode() -> Bool {
        let up = self.broker.configuration.nodes.filter(\.isUp).map(\.id)
        guard self.isClusterUp, up.count > 1, let node = up.randomElement(using: &self.random)
        else { return false }
        self.schedule.add(.startNode(node), at: self.now + self.milliseconds(20...8000))
        return self.tellBroker(.stopNode(node))
    }

    func startNode(_ node: Int32) {
        let isDown = self.broker.configuration.nodes.contains { $0.id == node && !$0.isUp }
        if isDown { _ = self.tellBroker(.startNode(node)) }
    }

    func stopCluster(inOrder: Bool) -> Bool {
        guard self.isClusterUp else { return false }
        self.note(inOrder ? "the cluster stops" : "the cluster is killed")
        if inOrder {
            self.journal = joined(self.broker.snapshot(isStopped: true, now: self.now))
        }
        self.isClusterUp = false
        for connection in self.connections.values.sorted(by: { $0.number < $1.number })
        where connection.isOpenToBroker {
            connection.isOpenToBroker = false
            connection.toBroker.parcels.removeAll()
            if self.onceIn(2) { self.cut(&connection.toClient) }
            // A machine that lost its power says nothing.
            if inOrder || !self.onceIn(4) { self.send(.end, on: connection, .toClient) }
        }
        self.schedule.add(.startCluster, at: self.now + self.milliseconds(10...3000))
        return true
    }

    func startCluster() {
        guard !self.staysDown, !self.isClusterUp else { return }
        self.note("the cluster starts")
        var fresh = BrokerStateMachine(configuration: self.settings.broker)
        fresh.setClock(milliseconds: self.wallClock, now: self.now)
        do {
            var rest = self.journal
            try fresh.restore(from: &rest, now: self.now)
            if rest.readableBytes > 0 { self.fail("the journal has an end that does not read") }
        } catch {
            self.fail("the journal does not read: \(error)")
        }
        fresh.keepJournal(now: self.now)
        self.broker = fresh
        self.journal = joined(fresh.snapshot(isStopped: false, now: self.now))
        self.isClusterUp = true
        self.clusterLife += 1
        self.clusterStarted()
    }
}
